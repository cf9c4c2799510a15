"""Closing months in tests, and the results of a close."""

from datetime import date, datetime, timedelta
from typing import Any

from accounts.models import Organization
from billing.ledger import billing_zone
from tests.usage.metering.batches import next_month_starts
from usage.models import MonthClose, MonthlyUsage, UsageEvent
from usage.storage import closing

END = next_month_starts()  # of the month in which the tests run
A_MONTH = timedelta(days=32)

Row = tuple[Any, ...]


def close(payer: Organization, now: datetime = END) -> list[MonthClose]:
    return closing.close_ended([payer.pk], now)


def created(payer: Organization, moment: datetime) -> None:
    """Pretend that the organization was made at that moment, so that its months begin then."""
    Organization.objects.filter(pk=payer.pk).update(created_at=moment)


def frozen(payer: Organization) -> list[Row]:
    """Month, month of occurrence, meter, requests, failed, quantity, credits; of the whole tree."""
    rows = MonthlyUsage.objects.filter(account_id=payer.pk).order_by("pk")
    fields = ("month", "occurred_in", "meter__slug", "requests", "failed", "quantity", "credits")
    return list(rows.values_list(*fields))


def balances(payer: Organization) -> list[Row]:
    """Month, opening and closing balance."""
    closes = MonthClose.objects.filter(account=payer.pk).order_by("month")
    return list(closes.values_list("month", "opening", "closing"))


def billed_in(payer: Organization) -> dict[str, date]:
    """The month in which each event of the tree is billed."""
    payer.refresh_from_db()
    zone = billing_zone.of(payer)
    events = UsageEvent.objects.filter(account_id=payer.pk)
    first = zone.month_of(payer.created_at)
    return {event.id: event.billed_in or max(zone.month_of(event.occurred_at), first) for event in events}
