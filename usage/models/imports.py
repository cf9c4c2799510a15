from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib.money import ZERO
from accounts.models import Organization, TenantQuerySet
from billing.models import Meter
from usage.models.rollups import RollupBase
from usage.models.tenancy import UsageQuerySet


class ImportedFile(models.Model):
    """A log file that was imported, and how far, so that each of its lines is counted once.

    `digest` identifies the whole contents, `digest_read` the first `lines_read` lines: a log that has grown since
    begins with those. `events` and `skipped` count the lines of the contents, whichever import read them.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    meter = models.ForeignKey(Meter, on_delete=models.PROTECT, related_name="+")
    digest = models.BinaryField(max_length=32)
    digest_read = models.BinaryField(max_length=32, default=b"")
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


class ImportedRow(models.Model):
    """A row of customers from another system that was imported. Its `external_id` is what it is called there.

    `digest` identifies its contents, so that the same row changes nothing and another one with its id is refused.
    `target` is the id of what was made of it.
    """

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    type = models.CharField(max_length=20)
    external_id = models.CharField(max_length=200)
    digest = models.BinaryField(max_length=32)
    target = models.CharField(max_length=40)
    imported_at = models.DateTimeField()

    objects: ClassVar[TenantQuerySet["ImportedRow"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [models.UniqueConstraint(fields=["type", "external_id"], name="imported_row_once")]

    def __str__(self) -> str:
        return f"{self.type} {self.external_id}"


class ImportedUsage(RollupBase):
    """What was used before Tollgate counted it, and what it cost there. Reports show it, and nothing else counts it.

    `bucket` is the start of the month or of the day that the row is about, in the payer's time zone. Rows never change.
    The database's primary key is (account_id, id).
    """

    endpoint = models.TextField(default="")

    objects: ClassVar[UsageQuerySet["ImportedUsage"]] = UsageQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["account_id", "organization", "bucket"], name="imported_usage_by_time")]
        constraints = [
            models.CheckConstraint(
                condition=Q(requests__gte=models.F("failed"), failed__gte=0, quantity__gte=ZERO, credits__gte=ZERO),
                name="imported_usage_figures",
            )
        ]

    def __str__(self) -> str:
        return f"{self.requests} requests at {self.bucket:%Y-%m-%d}"
