from uuid import UUID

from django.db import models
from django.utils import timezone

OPERATOR = UUID(int=0)  # the payer and the organization of platform keys


class IdempotencyRecord(models.Model):
    """The first answer to an Idempotency-Key, kept for a day. Secrets in `body` are replaced by null.

    `account_id` is the payer, the organization's root: it leads the key so that the table can be distributed by payer.
    `status` is null until the second step of the request (a call to a payment gateway) has an answer; until then
    `resource` names the row from which a retry continues.
    """

    pk = models.CompositePrimaryKey("account_id", "organization_id", "credential", "key")
    account_id = models.UUIDField()
    organization_id = models.UUIDField()
    credential = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField()
    resource = models.CharField(max_length=64, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"{self.credential} {self.key}"
