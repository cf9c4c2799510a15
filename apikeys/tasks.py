import time

from celery import shared_task

from apikeys import rate_limits


@shared_task
def purge_rate_counts() -> int:
    return rate_limits.purge(time.time())
