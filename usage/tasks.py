from celery import shared_task
from django.utils import timezone

from usage import partitions


@shared_task
def make_partitions() -> list[str]:
    return partitions.ensure(timezone.now())
