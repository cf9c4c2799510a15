"""The ledger as a statement: from one balance to another, with a line for each day's usage and for each other entry."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import accumulate

from django.db.models import Count, Sum

from accounts.lib import snapshot, timezones
from accounts.lib.money import ZERO
from accounts.models import Organization
from billing.ledger import posting
from billing.models import LedgerEntry
from usage.reporting import calendar, timeseries

Kind = LedgerEntry.Kind
BY_DAY = (Kind.USAGE, Kind.CAPTURE)  # there are too many of them for a line each
MOST_DAYS, MOST_ENTRIES = 400, 2000


# The day, its place in the day, the kind, the count, the amount, and the entry if it is a single one.
Draft = tuple[date, int, str, int, Decimal, LedgerEntry | None]


class TooLong(Exception):
    """More than MOST_DAYS, or more than MOST_ENTRIES besides usage."""


@dataclass(frozen=True)
class StatementLine:
    """All entries of a kind in a day, or the single one in `entry`. `balance` is after it, in the statement's order."""

    day: date
    kind: str
    count: int
    amount: Decimal
    balance: Decimal
    entry: LedgerEntry | None

    @property
    def label(self) -> str:
        return str(Kind(self.kind).label)


@dataclass(frozen=True)
class Statement:
    """[start, end). The lines are in the order of their days; in each day, usage comes last."""

    start: datetime
    end: datetime
    timezone: str
    opening: Decimal
    closing: Decimal
    lines: list[StatementLine]


def of(organization: Organization, start: datetime, end: datetime, timezone: str, now: datetime) -> Statement:
    """The payer's ledger in [start, end), by the days of `timezone`, in one snapshot. Raises `TooLong`."""
    posting.current(organization.pk, now)  # brings the account up to date; the snapshot can't write
    with snapshot.consistent():
        return _read(organization, start, end, timezone)


def _read(organization: Organization, start: datetime, end: datetime, timezone: str) -> Statement:
    entries = LedgerEntry.objects.of(organization).filter(created_at__gte=start, created_at__lt=end)
    try:
        starts = calendar.bounds(start, end, "day", timezone)[:-1]
    except calendar.TooManyWindows as error:
        raise TooLong from error
    single = list(entries.exclude(kind__in=BY_DAY).order_by("seq")[: MOST_ENTRIES + 1])
    if len(starts) > MOST_DAYS or len(single) > MOST_ENTRIES:
        raise TooLong
    zone, opening = timezones.zone(timezone), balance_before(organization, start)
    drafts: list[Draft] = [
        (entry.created_at.astimezone(zone).date(), 0, entry.kind, 1, entry.amount, entry) for entry in single
    ]
    days = [start.astimezone(zone).date() for start in starts]
    drafts += [
        (days[number - 1], 1, kind, count, amount, None)
        for number, kind, count, amount in _usage(organization, start, end, starts)
    ]
    drafts.sort(key=lambda draft: (*draft[:2], draft[5].seq if draft[5] else 0, draft[2]))
    balances = list(accumulate((draft[4] for draft in drafts), initial=opening))
    lines = [
        StatementLine(day, kind, count, amount, balance, entry)
        for (day, _, kind, count, amount, entry), balance in zip(drafts, balances[1:], strict=True)
    ]
    return Statement(start, end, timezone, opening, balances[-1], lines)


def balance_before(organization: Organization, moment: datetime) -> Decimal:
    """The balance after the last entry before the moment."""
    before = LedgerEntry.objects.of(organization).filter(created_at__lt=moment)
    last = before.order_by("-created_at", "-seq").values_list("balance_after", flat=True).first()
    return ZERO if last is None else last


def _usage(
    organization: Organization, start: datetime, end: datetime, starts: list[datetime]
) -> Iterator[tuple[int, str, int, Decimal]]:
    """The number of the day, the kind, and the count and sum of its entries."""
    if not starts:
        return
    entries = LedgerEntry.objects.of(organization).filter(created_at__gte=start, created_at__lt=end, kind__in=BY_DAY)
    numbered = entries.annotate(number=timeseries.window_of(starts, "created_at"))
    yield from numbered.values_list("number", "kind").annotate(n=Count("pk"), total=Sum("amount")).order_by()
