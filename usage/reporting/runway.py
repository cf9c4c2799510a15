"""How long the available credits will last, at the recent pace of spending."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from accounts.lib.money import rounded
from accounts.models import Organization
from billing.balance import Balance
from usage.reporting import totals

PACES = (7, 30)  # days; the first decides the health
LOW_DAYS = 7
FARTHEST_DAYS = 3650


class Health(StrEnum):
    HEALTHY = "Healthy"
    LOW = "Low"
    EMPTY = "Empty"
    IN_DEBT = "In debt"


@dataclass(frozen=True)
class Pace:
    """What was spent a day in the last `days`, and how long that lasts.

    `days_left` and `until` are None if nothing was spent, or nothing is left.
    """

    days: int
    daily: Decimal
    days_left: int | None = None
    until: datetime | None = None


@dataclass(frozen=True)
class Runway:
    health: Health
    paces: list[Pace]


def of(organization: Organization, balance: Balance, now: datetime) -> Runway:
    spent = {days: totals.of(organization, now - timedelta(days=days), now).credits for days in PACES}
    return assess(balance, {days: rounded(credits / days) for days, credits in spent.items()}, now)


def assess(balance: Balance, daily: dict[int, Decimal], now: datetime) -> Runway:
    """`daily`: the credits spent a day, by the number of days that it is the mean of."""
    paces = [_pace(days, each, balance.available, now) for days, each in daily.items()]
    if balance.available <= 0:
        return Runway(Health.IN_DEBT if balance.balance < 0 else Health.EMPTY, paces)
    soonest = paces[0].days_left
    is_low = balance.is_low or (soonest is not None and soonest < LOW_DAYS)
    return Runway(Health.LOW if is_low else Health.HEALTHY, paces)


def _pace(days: int, daily: Decimal, available: Decimal, now: datetime) -> Pace:
    if daily <= 0 or available <= 0:
        return Pace(days, daily)
    left = int(min(available / daily, Decimal(FARTHEST_DAYS)))
    return Pace(days, daily, left, now + timedelta(days=left))
