from datetime import date, datetime, timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.lib import months


class RetiredQuerySet(models.QuerySet["RetiredPartition"]):
    def horizon(self) -> datetime | None:
        """The end of the last retired month: what occurred before it may be missing. None if all events are there."""
        last: date | None = self.aggregate(last=models.Max("month"))["last"]
        return months.bounds(last)[1] if last else None


class RetiredPartition(models.Model):
    """A month of arrival (UTC) whose events were detached. From then on the rollups are the truth about it."""

    ALWAYS_KEPT = timedelta(days=59)  # the shortest retention: January and February

    month = models.DateField(primary_key=True)
    retired_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[RetiredQuerySet] = RetiredQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.month:%Y-%m}"
