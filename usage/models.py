"""What the keys consumed.

Usage events are partitioned by the month of their arrival (`usage.storage.partitions`), the rollups are ordinary
tables, and all three agree at every commit: one statement inserts the events and folds them.
"""

from datetime import date, datetime, timedelta
from typing import ClassVar, TypeVar

from django.db import models
from django.utils import timezone

from accounts.lib import months
from accounts.lib.money import AmountField
from accounts.models import Organization, TenantQuerySet
from apikeys.models import ApiKey
from billing.models import Meter

Row = TypeVar("Row", bound=models.Model)


class UsageQuerySet(TenantQuerySet[Row]):
    def within(self, organization: Organization) -> "UsageQuerySet[Row]":
        """The rows of the organization and of all that is beneath it."""
        return self.filter(organization__in=Organization.objects.within(organization))


class UsageEvent(models.Model):
    """One metered request. Immutable; `id` is the caller's, counted once an organization within 35 days of arrival.

    `entry_seq` names the ledger entry that it was charged with; null if it was charged nothing. `late` is true if its
    month was closed when it arrived. `occurred_at` is never after `recorded_at`: if a caller's clock is fast, the event
    counts at its arrival. A mistake is corrected by an `EventVoid`. The foreign keys have no constraint in the
    database: they are read from those tables under the payer's lock, and none of those rows is ever deleted.
    """

    pk = models.CompositePrimaryKey("organization_id", "id", "recorded_at")
    organization = models.ForeignKey(
        Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+"
    )
    id = models.CharField(max_length=100)
    account_id = models.UUIDField()
    key = models.ForeignKey(
        ApiKey, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False, related_name="+"
    )
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    environment = models.CharField(max_length=4, choices=ApiKey.Environment.choices)
    endpoint = models.TextField()
    quantity = AmountField()
    failed = models.BooleanField()
    credits = AmountField()
    entry_seq = models.BigIntegerField(null=True)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    properties = models.JSONField(default=dict)
    hold_id = models.UUIDField(null=True)
    late = models.BooleanField(default=False)

    objects: ClassVar[UsageQuerySet["UsageEvent"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        managed = False
        db_table = "usage_event"

    def __str__(self) -> str:
        return self.id


class RollupBase(models.Model):
    """Sums over a quarter of an hour of `occurred_at`, [bucket, bucket + 15 min)."""

    organization = models.ForeignKey(Organization, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    account_id = models.UUIDField()
    bucket = models.DateTimeField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False)
    key = models.ForeignKey(ApiKey, on_delete=models.DO_NOTHING, null=True, db_constraint=False, db_index=False)
    environment = models.CharField(max_length=4, choices=ApiKey.Environment.choices)
    requests = models.BigIntegerField()
    failed = models.BigIntegerField()
    quantity = models.DecimalField(max_digits=34, decimal_places=9)
    credits = models.DecimalField(max_digits=34, decimal_places=9)

    class Meta:
        abstract = True


class UsageRollup(RollupBase):
    """What each key used of each meter."""

    objects: ClassVar[UsageQuerySet["UsageRollup"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "bucket", "meter", "key"], nulls_distinct=False, name="usage_rollup_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests at {self.bucket:%Y-%m-%d %H:%M}"


class EndpointRollup(RollupBase):
    """The same by endpoint, apart, so that totals stay small and quick."""

    endpoint = models.TextField()

    objects: ClassVar[UsageQuerySet["EndpointRollup"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "bucket", "meter", "key", "endpoint"],
                nulls_distinct=False,
                name="endpoint_rollup_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests of {self.endpoint}"


class Volume(models.Model):
    """How much of a meter a payer's tree used, live, in a calendar month of the payer's time zone.

    Tiers and included quantities are counted by `quantity`, in the order of arrival; `requests` are all events.
    """

    account_id = models.UUIDField()
    meter = models.ForeignKey(Meter, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="+")
    month = models.DateField()
    quantity = models.DecimalField(max_digits=34, decimal_places=9)
    requests = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account_id", "meter", "month"], name="volume_once")]

    def __str__(self) -> str:
        return f"{self.quantity} in {self.month:%Y-%m}"


class EventVoid(models.Model):
    """A usage event that was taken back: it counts in no figure, and `entry_seq` is the adjustment that returned it.

    The event itself stays as it was. Without `entry_seq`, the event had been charged nothing.
    """

    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, db_index=False, related_name="+")
    event_id = models.CharField(max_length=100)
    recorded_at = models.DateTimeField()
    entry_seq = models.BigIntegerField(null=True)
    reason = models.CharField(max_length=200)
    actor = models.CharField(max_length=40)
    created_at = models.DateTimeField()

    objects: ClassVar[UsageQuerySet["EventVoid"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "event_id", "recorded_at"], name="event_void_once")
        ]

    def __str__(self) -> str:
        return f"void of {self.event_id}"


class RetiredQuerySet(models.QuerySet["RetiredPartition"]):
    def horizon(self) -> datetime | None:
        """The end of the last retired month: what occurred before it may be missing. None if all events are there."""
        last: date | None = self.aggregate(last=models.Max("month"))["last"]
        return months.bounds(last)[1] if last else None


class RetiredPartition(models.Model):
    """A month of arrival (UTC) whose events were detached: from then on the rollups are the truth of it."""

    ALWAYS_KEPT = timedelta(days=59)  # the shortest retention: January and February

    month = models.DateField(primary_key=True)
    retired_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[RetiredQuerySet] = RetiredQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"


class ImportedFile(models.Model):
    """A log file that was read, by the digest of its contents, and how far: so that it is counted once, for good."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+")
    digest = models.BinaryField(max_length=32)
    name = models.CharField(max_length=255)
    lines_read = models.BigIntegerField(default=0)
    events = models.BigIntegerField(default=0)
    skipped = models.BigIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    finished_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantQuerySet["ImportedFile"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "meter", "digest"], name="imported_file_once")]

    def __str__(self) -> str:
        return self.name
