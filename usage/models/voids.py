from typing import ClassVar

from django.db import models

from accounts.models import Organization
from usage.models.tenancy import UsageQuerySet


class EventVoid(models.Model):
    """A usage event that was taken back: it counts in no figure any more. The event itself stays as it was.

    `entry_seq` is the ledger's adjustment that returned its charge; null if it had been charged nothing.
    """

    pk = models.CompositePrimaryKey("account_id", "organization_id", "event_id", "recorded_at")
    account_id = models.UUIDField()
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False, related_name="+")
    event_id = models.CharField(max_length=100)
    recorded_at = models.DateTimeField()
    entry_seq = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=40)
    created_at = models.DateTimeField()

    objects: ClassVar[UsageQuerySet["EventVoid"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"void of {self.event_id}"
