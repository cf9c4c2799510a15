"""Closes in many time zones over a leap day, months of three lengths, changes of clocks, and a change of zone: each
event is on exactly one paper, and each second in exactly one month.

`CLOSE_ZONES=500 pytest tests/usage/storage/test_closing_matrix.py` does it for so many zones, which takes minutes.
"""

import os
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db.models import F

from accounts.lib import months, timezones
from accounts.models import Organization
from billing import organizations
from billing.ledger import posting
from billing.models import Invoice, InvoiceLine, LedgerEntry
from tests import factories
from tests.usage.metering.batches import event, record
from tests.usage.storage.months import billed_in
from usage.models import MonthClose, MonthlyUsage
from usage.storage import closing, partitions, reconciliation

# UTC−11 to UTC+14, with offsets of 30 and 45 minutes; with and without daylight saving time, one of half an hour.
ZONES = [
    *("Pacific/Pago_Pago", "America/St_Johns", "America/New_York", "UTC", "Europe/Berlin", "Asia/Kathmandu"),
    *("Australia/Lord_Howe", "Pacific/Chatham", "Pacific/Kiritimati"),
]
MADE, CHANGED = datetime(2024, 1, 10, 12, tzinfo=UTC), datetime(2024, 2, 10, tzinfo=UTC)
FIRSTS = [date(2024, month, 1) for month in (2, 3, 4, 5)]
SWITCHES = [  # in New York, Berlin, and on Lord Howe and Chatham Island; and the leap day
    *(datetime(2024, 3, 10, 7, tzinfo=UTC), datetime(2024, 3, 31, 1, tzinfo=UTC), datetime(2024, 4, 6, 14, tzinfo=UTC)),
    *(datetime(2024, 4, 6, 15, tzinfo=UTC), datetime(2024, 2, 29, 12, tzinfo=UTC)),
]
AROUND = [timedelta(microseconds=-1), timedelta(0), timedelta(seconds=1)]
HOUR, LATE = timedelta(hours=1), timedelta(days=40)


@dataclass
class Payer:
    """`events` are moments of occurrence and of arrival, by id. `closed` is when each month was closed."""

    organization: Organization
    zones: tuple[str, str]
    events: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    closed: dict[date, datetime] = field(default_factory=dict)

    def month_of(self, moment: datetime) -> date:
        """The local month, in the second zone from March on: that of the first zone."""
        before, after = self.zones
        zone = before if moment < midnight(date(2024, 3, 1), before) else after
        return moment.astimezone(ZoneInfo(zone)).date().replace(day=1)

    def billed_in(self, id: str) -> date:
        """By the rule: the month in which it occurred, or if that was already closed, the month that is closed next."""
        occurred, arrived = self.events[id]
        month = max(self.month_of(occurred), MADE.date().replace(day=1))
        if month in self.closed and self.closed[month] < arrived:
            return min((m for m, at in self.closed.items() if at >= arrived), default=months.shift(max(self.closed), 1))
        return month


def midnight(day: date, zone: str) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def a_payer(zone: str, other: str) -> Payer:
    organization = Organization.objects.create_root(name=zone, timezone=zone)
    Organization.objects.filter(pk=organization.pk).update(created_at=MADE)
    factories.billing_account(organization)
    posting.post(organization.pk, kind=LedgerEntry.Kind.PURCHASE, amount=Decimal(1000), now=MADE)
    turns = {midnight(first, name) for first in FIRSTS for name in (zone, other, "UTC")}
    moments = sorted({moment + step for moment in (*turns, *SWITCHES) for step in AROUND})
    payer = Payer(organization, (zone, other))
    for n, moment in enumerate(moments):
        hour = moment.replace(minute=0, second=0, microsecond=0) + HOUR
        payer.events[f"{zone}-{n}"] = moment, hour + (LATE if n % 4 == 3 else timedelta(0))
    return payer


def live(payers: list[Payer]) -> None:
    """From January to May: events arrive on the hour, and five minutes later the months that have ended are closed."""
    arrivals: defaultdict[datetime, list[dict[str, object]]] = defaultdict(list)
    for payer in payers:
        for id, (occurred, arrived) in payer.events.items():
            arrivals[arrived].append(event(payer.organization, id=id, meter="sms", occurred_at=occurred.isoformat()))
    by_id = {payer.organization.pk: payer for payer in payers}
    for hour in sorted({*arrivals, CHANGED}):
        if hour == CHANGED:
            for payer in payers:
                organizations.change_timezone(payer.organization, payer.zones[1], now=CHANGED)
        record(*arrivals.get(hour, ()), at=hour)
        now = hour + timedelta(minutes=5)
        for close in closing.close_ended(set(closing.due(now)) & set(by_id), now):
            by_id[close.account_id].closed[close.month] = now


@pytest.fixture
def payers(db: None) -> list[Payer]:
    number = int(os.environ.get("CLOSE_ZONES", "0"))
    zones = sorted(timezones.names())[:number] if number else ZONES
    partitions.ensure(MADE, ahead=6)
    payers = [a_payer(zone, other) for zone, other in zip(zones, reversed(zones), strict=True)]
    live(payers)
    return payers


def test_every_event_is_on_one_paper_and_every_second_in_one_month(payers: list[Payer]) -> None:
    for payer in payers:
        expected = {id: payer.billed_in(id) for id in payer.events}
        assert billed_in(payer.organization) == expected, payer.zones
        closed = {id: month for id, month in expected.items() if month in payer.closed}
        assert frozen(payer) == Counter((month, payer.month_of(payer.events[id][0])) for id, month in closed.items())
        assert on_papers(payer) == Counter(closed.values()), payer.zones
        closes = list(MonthClose.objects.filter(account=payer.organization.pk).order_by("month"))
        assert [close.month for close in closes] == [date(2024, month, 1) for month in (1, 2, 3, 4, 5)]
        assert all(before.ends_at == after.starts_at for before, after in pairwise(closes))
    assert MonthlyUsage.objects.filter(month__gt=F("occurred_in")).exists()  # some were late
    assert reconciliation.run() == []


def frozen(payer: Payer) -> Counter[tuple[date, date]]:
    rows = MonthlyUsage.objects.filter(account_id=payer.organization.pk)
    return Counter({(row.month, row.occurred_in): row.requests for row in rows})


def on_papers(payer: Payer) -> Counter[date]:
    """How many messages the statement of each month has."""
    counted: Counter[date] = Counter()
    for close in MonthClose.objects.filter(account=payer.organization.pk).select_related("paper"):
        paper = close.paper
        assert paper is not None
        assert (paper.kind, paper.period_end) == (Invoice.Kind.STATEMENT, close.ends_at)
        lines = InvoiceLine.objects.filter(invoice=paper, meter="sms")
        counted[close.month] = sum(int(line.quantity or 0) for line in lines)
    return counted
