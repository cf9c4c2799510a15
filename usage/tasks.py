from uuid import UUID

from celery import shared_task
from django.utils import timezone

from billing import clock
from usage.storage import advancing, closing, event_partitions, partitions, retention


@shared_task
def make_partitions() -> list[str]:
    made = partitions.ensure(timezone.now())
    partitions.guard()
    return [*made, *event_partitions.ensure(timezone.now())]


@shared_task
def run_moved_clocks() -> int:
    """Test organizations whose clocks were moved ahead: the other sweeps go by the real time."""
    return advancing.sweep(timezone.now())


@shared_task
def retire_partitions() -> list[str]:
    now = timezone.now()
    return [*retention.retire(now), *event_partitions.retire(now)]


@shared_task
def close_months() -> int:
    """Start a task for each payer of which a month has ended. One that gets lost is started again by the next run."""
    payers = list(closing.due(timezone.now()))
    for payer in payers:
        close_months_of.delay(str(payer))
    return len(payers)


@shared_task
def close_months_of(payer: str) -> int:
    return len(closing.close_ended(UUID(payer), clock.now_of(UUID(payer))))
