from django.db import models
from django.utils import timezone

from accounts.models.organizations import Organization


class IdempotencyRecord(models.Model):
    """The first answer to an Idempotency-Key, kept for a day. Secrets in `body` were replaced by null.

    `status` is null while the second step of the request (a call to a payment gateway) has not been answered;
    `resource` then names the row from which it goes on.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, null=True, related_name="+")
    credential = models.CharField(max_length=40)
    key = models.CharField(max_length=255)
    fingerprint = models.BinaryField()
    resource = models.CharField(max_length=64, blank=True)
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(default=timezone.now, db_index=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "credential", "key"], nulls_distinct=False, name="idempotency_key_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.credential} {self.key}"
