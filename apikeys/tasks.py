import time

from celery import shared_task
from django.utils import timezone

from apikeys import departures, rate_limits


@shared_task
def purge_rate_counts() -> int:
    return rate_limits.purge(time.time())


@shared_task
def erase_people() -> int:
    """Those who asked for it 14 days ago."""
    return departures.erase_due(timezone.now())
