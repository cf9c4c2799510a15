from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models import Organization, TenantQuerySet
from billing.models import Meter


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
