from celery import shared_task
from django.utils import timezone

from usage.storage import partitions, retention


@shared_task
def make_partitions() -> list[str]:
    made = partitions.ensure(timezone.now())
    partitions.guard()
    return made


@shared_task
def retire_partitions() -> list[str]:
    return retention.retire(timezone.now())
