from uuid import UUID

import structlog
from celery import shared_task
from django.utils import timezone

from billing.finance import package
from usage.storage import advancing, closing, event_partitions, gauges, partitions, reconciliation, retention

log = structlog.get_logger()


@shared_task
def beat() -> None:
    gauges.beat(timezone.now())


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
    """Start tasks that close the months that have ended. What gets lost is started again by the next run."""
    tasks = [close_ended_months.delay([str(payer) for payer in payers]) for payers in closing.batches(timezone.now())]
    return len(tasks)


@shared_task
def make_finance_package() -> bool:
    """The last month's, once the ended months of all payers are closed."""
    now = timezone.now()
    return next(closing.due(now), None) is None and package.make_due(now) is not None


@shared_task
def prove_ledger() -> bool:
    return reconciliation.prove_if_due(timezone.now())


@shared_task
def close_ended_months(payers: list[str]) -> int:
    """If it fails for one of several payers, each gets a task of its own, so that the others don't wait."""
    try:
        return len(closing.close_ended([UUID(payer) for payer in payers], timezone.now()))
    except Exception:
        if len(payers) == 1:
            raise
        log.exception("months not closed together", payers=len(payers))
        for payer in payers:
            close_ended_months.delay([payer])
        return 0
