"""How an organization stands: what it may spend, against the pace at which it spends."""

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


class Word(StrEnum):
    HEALTHY = "Healthy"
    LOW = "Low"
    EMPTY = "Empty"
    IN_DEBT = "In debt"


@dataclass(frozen=True)
class Standing:
    """`days_left` at the pace of the last 7 days; None where nothing was spent, or nothing is left."""

    word: Word
    days_left: int | None = None
    until: datetime | None = None


def of(organization: Organization, statement: Balance, now: datetime) -> Standing:
    spent = totals.totals(organization, now - timedelta(days=PACE_DAYS), now).credits
    return judge(statement, spent / PACE_DAYS, now)


def judge(statement: Balance, daily: Decimal, now: datetime) -> Standing:
    if statement.available <= 0:
        return Standing(Word.IN_DEBT if statement.balance < 0 else Word.EMPTY)
    if daily <= 0:
        return Standing(Word.HEALTHY)
    days = int(min(statement.available / daily, Decimal(FARTHEST_DAYS)))
    return Standing(Word.LOW if days < LOW_DAYS else Word.HEALTHY, days, now + timedelta(days=days))
