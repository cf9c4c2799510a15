"""An organization at a glance: what is left and for how long, this month against the last, what needs attention."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from accounts.lib import months, replica, timezones
from accounts.models import Organization, User
from billing import attention, balance
from billing.attention import Alert
from billing.balance import Balance
from usage.reporting import onboarding, periods, runway, totals
from usage.reporting.onboarding import Checklist
from usage.reporting.runway import Runway
from usage.reporting.totals import Totals

ENDPOINTS_SHOWN = 5


@dataclass(frozen=True)
class Month:
    """The calendar month so far, and as much of the one before. `days` has the month's days with their totals."""

    start: datetime
    end: datetime
    totals: Totals
    days: dict[date, Totals]
    earlier: tuple[datetime, datetime]
    before: Totals


@dataclass(frozen=True)
class Endpoint:
    """`share` is in per cent of the month's requests. The last of them may be all others: `name` is None then."""

    name: str | None
    requests: int
    share: Decimal


@dataclass(frozen=True)
class Overview:
    """`balance` and `runway` are None for a child, and for people who may not see credits.

    What was recorded by `as_of` is in `month` and `endpoints`. All else is as it is now.
    """

    balance: Balance | None
    runway: Runway | None
    as_of: datetime
    month: Month
    endpoints: list[Endpoint]
    urgent: list[Alert]
    others: list[Alert]
    checklist: Checklist


def of(organization: Organization, person: User | None, scopes: Collection[str], zone: str, now: datetime) -> Overview:
    """The overview for a person or key with these scopes. Months and days are in `zone`."""
    shows_credits = organization.is_root and "credits:read" in scopes
    balances = balance.of(organization, now) if shows_credits else None
    used = replica.figures(lambda: (month(organization, zone, now), endpoints(organization, zone, now)))
    return Overview(
        balance=balances,
        runway=runway.of(organization, balances, now) if balances else None,
        as_of=used.as_of,
        month=used.value[0],
        endpoints=used.value[1],
        urgent=attention.urgent(organization, scopes, now),
        others=attention.others(organization, scopes, now),
        checklist=onboarding.of(organization, person),
    )


def month(organization: Organization, zone: str, now: datetime) -> Month:
    start = periods.start_of("monthly", now, zone)
    first = start.astimezone(timezones.zone(zone)).date()
    earlier_start = months.midnight(months.shift(first, -1), zone)
    earlier = earlier_start, min(earlier_start + (now - start), start)
    days = totals.by_day(organization, start, now, zone)
    so_far = sum(days.values(), totals.NOTHING)
    return Month(start, now, so_far, days, earlier, totals.of(organization, *earlier))


def endpoints(organization: Organization, zone: str, now: datetime) -> list[Endpoint]:
    """The endpoints of the month that were called most, and the others together if there are several."""
    counts = totals.by_endpoint(organization, periods.start_of("monthly", now, zone), now)
    lines: list[tuple[str | None, int]] = list(counts.items())
    if len(lines) > ENDPOINTS_SHOWN + 1:
        lines[ENDPOINTS_SHOWN:] = [(None, sum(requests for _, requests in lines[ENDPOINTS_SHOWN:]))]
    whole = sum(counts.values())
    return [Endpoint(name, n, (100 * Decimal(n) / whole).quantize(Decimal("0.1"))) for name, n in lines]
