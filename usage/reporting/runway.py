"""How long the credits last: what an organization may spend, at the pace at which it spends."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from accounts.models import Organization
from billing.balance import Balance
from usage.reporting import totals

PACE_DAYS = 7
LOW_DAYS = 7
FARTHEST_DAYS = 3650


class Health(StrEnum):
    HEALTHY = "Healthy"
    LOW = "Low"
    EMPTY = "Empty"
    IN_DEBT = "In debt"


@dataclass(frozen=True)
class Runway:
    """`days_left` at the pace of the last 7 days; None if nothing was spent, or nothing is left."""

    health: Health
    days_left: int | None = None
    until: datetime | None = None


def of(organization: Organization, balance: Balance, now: datetime) -> Runway:
    spent = totals.of(organization, now - timedelta(days=PACE_DAYS), now).credits
    return assess(balance, spent / PACE_DAYS, now)


def assess(balance: Balance, daily: Decimal, now: datetime) -> Runway:
    """`daily`: the credits spent a day."""
    if balance.available <= 0:
        return Runway(Health.IN_DEBT if balance.balance < 0 else Health.EMPTY)
    if daily <= 0:
        return Runway(Health.HEALTHY)
    days = int(min(balance.available / daily, Decimal(FARTHEST_DAYS)))
    return Runway(Health.LOW if days < LOW_DAYS else Health.HEALTHY, days, now + timedelta(days=days))
