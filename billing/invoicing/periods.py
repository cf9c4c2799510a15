"""The periods of a subscription, and what a change costs within one. Pure functions.

A period is [start, end). The boundaries are counted from the anchor, a local wall time, and never from each other:
counted from 28 February, a subscription that began on 31 January would renew on the 28th for ever.
"""

from calendar import monthrange
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from accounts.lib import timezones
from accounts.lib.money import rounded
from billing.models import Interval

_exact = Context(prec=80)  # room for an amount times the microseconds of a year, so that only one rounding counts
MONTHS = {Interval.MONTH: 1, Interval.YEAR: 12}
LONG_TRIAL, REMINDERS = timedelta(days=7), (timedelta(days=7), timedelta(days=3))


def wall_time(moment: datetime, timezone: str) -> datetime:
    """The local time of a moment, without its zone: what a subscription is anchored to."""
    return moment.astimezone(timezones.zone(timezone)).replace(tzinfo=None, fold=0)


def boundary(anchor: datetime, number: int, interval: str, timezone: str) -> datetime:
    """The end of the `number`-th period, in UTC; with 0, the anchor itself.

    It has the day and the time of the anchor, or is on the last day of a month that is too short. If a change of the
    clocks skips that time, it is as much later as the clocks were moved.
    """
    months = anchor.year * 12 + anchor.month - 1 + number * MONTHS[Interval(interval)]
    year, month = months // 12, months % 12 + 1
    day = min(anchor.day, monthrange(year, month)[1])
    return anchor.replace(year=year, month=month, day=day, tzinfo=timezones.zone(timezone)).astimezone(UTC)


def months_between(anchor: datetime, moment: datetime, timezone: str) -> int:
    """How many whole months after the anchor the moment is: the number of the boundary at or before it."""
    local = wall_time(moment, timezone)
    number = (local.year - anchor.year) * 12 + local.month - anchor.month
    while boundary(anchor, number, Interval.MONTH, timezone) > moment:
        number -= 1
    while boundary(anchor, number + 1, Interval.MONTH, timezone) <= moment:
        number += 1
    return number


def part(amount: Decimal, now: datetime, start: datetime, end: datetime) -> Decimal:
    """The part of `amount` for what is left of the period, by its seconds; rounded once."""
    left = max(end - max(now, start), timedelta(0))
    product = _exact.multiply(amount, Decimal(_microseconds(left)))
    return rounded(_exact.divide(product, Decimal(_microseconds(end - start))))


def _microseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1)


def reminder(start: datetime, end: datetime) -> datetime:
    """When we write that a trial ends: seven days before, or three if it is not longer than that."""
    long, short = REMINDERS
    return max(start, end - (long if end - start > LONG_TRIAL else short))
