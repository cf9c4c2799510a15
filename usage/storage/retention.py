"""Retention: events that arrived long ago leave the table of events. From then on the rollups are the truth about them.

A month is marked first, and only detached later, when every reader has seen the mark.
Its table is kept under its name, for the operator to archive and drop.
"""

from datetime import date, datetime, timedelta

from django.conf import settings

from accounts.lib import months
from usage.models import RetiredPartition
from usage.storage import partitions

GRACE = timedelta(minutes=10)  # longer than any reader takes that holds no lock on the mark or the events


def retire(now: datetime) -> list[str]:
    """Mark the months that are past the retention, and detach those marked before; returns the detached tables."""
    if not settings.USAGE_RETENTION_MONTHS:
        return []
    oldest = _oldest_kept(now)
    past = [month for month in partitions.attached() if month < oldest]
    for month in past:
        RetiredPartition.objects.get_or_create(month=month, defaults={"retired_at": now})
    marked = RetiredPartition.objects.filter(month__in=past, retired_at__lte=now - GRACE).order_by("month")
    return [partitions.detach(month) for month in marked.values_list("month", flat=True)]


def _oldest_kept(now: datetime) -> date:
    return months.shift(months.month_of(now), -settings.USAGE_RETENTION_MONTHS)
