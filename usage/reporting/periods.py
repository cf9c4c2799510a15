"""Calendar periods in the caller's time zone."""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from accounts.lib import timezones
from accounts.lib.months import month_of

PERIODS = ("daily", "monthly", "yearly")
QUARTER = timedelta(minutes=15)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def start_of(period: str, now: datetime, timezone: str) -> datetime:
    """The start of today, of this month or of this year, there; in UTC."""
    local = now.astimezone(timezones.zone(timezone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period != "daily":
        local = local.replace(day=1)
    if period == "yearly":
        local = local.replace(month=1)
    return local.astimezone(UTC)


def month(now: datetime, timezone: str) -> tuple[datetime, datetime]:
    """The calendar month of `now` there, [start, end); in UTC."""
    start = start_of("monthly", now, timezone)
    return start, start_of("monthly", start + timedelta(days=32), timezone)


def quarter(moment: datetime) -> int:
    """The number of the quarter of an hour that the moment is in: the grain of the rollups."""
    return (moment - EPOCH) // QUARTER


@lru_cache(maxsize=4096)
def month_of_quarter(number: int, timezone: str) -> date:
    """The first day of the calendar month there, in which the quarter begins.

    It is what usage counts in. PostgreSQL can't tell it: it may not know the zone.
    """
    try:
        return month_of(EPOCH + number * QUARTER, timezone)
    except OverflowError:  # west of Greenwich, the year 1 begins in the year before
        return date.min
