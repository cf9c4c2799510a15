"""Quarters of an hour, numbered from the Unix epoch, in UTC. Usage is summed by quarter.

Since 1972 every zone's offset is a whole number of quarters, so hours, days and months everywhere are made of whole
quarters.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

from accounts.lib import sql
from accounts.lib.months import month_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS = QUARTER // MICROSECOND


def number_of(moment: datetime) -> int:
    return (moment - EPOCH) // QUARTER


def start_of(number: int) -> datetime:
    return EPOCH + number * QUARTER


def floor(moment: datetime) -> datetime:
    """The start of the quarter that the moment lies in."""
    return start_of(number_of(moment))


def microseconds(moment: datetime) -> int:
    """The moment in microseconds since the epoch."""
    return (moment - EPOCH) // MICROSECOND


@lru_cache(maxsize=4096)
def month_of_quarter(number: int, timezone: str) -> date:
    """The first day of the calendar month of `timezone` in which the quarter begins.

    We don't ask PostgreSQL, because its time zone data may differ from ours.
    """
    try:
        return month_of(start_of(number), timezone)
    except OverflowError:  # west of Greenwich, the year 1 begins in the year before
        return date.min


def sql_floor(column: str) -> str:
    """`floor` in SQL, of a column of timestamptz."""
    return sql.compose("date_bin('15 min', {column}, timestamptz 'epoch')", column=column)


def sql_start_of(number: str) -> str:
    """`start_of` in SQL, of a column of bigint."""
    return sql.compose("(timestamptz 'epoch' + {number} * interval '15 min')", number=number)


def sql_moment(microseconds: str) -> str:
    """The timestamptz of a column of microseconds since the epoch.

    In two steps, because PostgreSQL multiplies an interval by a float8, which is exact only below 2^53.
    """
    return sql.compose(
        "({start} + {microseconds} % {quarter} * interval '1 microsecond')",
        start=sql_start_of(f"({microseconds} / {MICROSECONDS})"),
        microseconds=microseconds,
        quarter=str(MICROSECONDS),
    )
