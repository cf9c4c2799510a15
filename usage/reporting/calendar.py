"""The windows of a time series: the hours, days or months of a time zone."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from accounts.lib import months, quarters, timezones

WINDOWS = ("hour", "day", "month")
MOST = 10_000
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class TooManyWindows(Exception):
    """More than `MOST`."""


def bounds(start: datetime, end: datetime, window: str, timezone: str) -> list[datetime]:
    """The n + 1 bounds, in UTC, of the n windows that [start, end) falls into: `start` first, `end` last.

    An empty range has none. The first and the last window end where the range does. When the clocks are set back, the
    hour that they repeat is two windows; a day that a zone skipped is none. An offset may not be a whole number of
    quarters, as before 1972: then the bound is the start of its quarter, so that no bucket lies in two windows.
    """
    if start >= end:
        return []
    moments = [start]
    for beginning in _beginnings(start, window, timezones.zone(timezone)):
        bound = quarters.floor(beginning)
        if bound >= end:
            break
        if bound > moments[-1]:
            moments.append(bound)
        if len(moments) > MOST:
            raise TooManyWindows
    return [*moments, end]


def _beginnings(start: datetime, window: str, zone: ZoneInfo) -> Iterator[datetime]:
    """The start of each window after the one that `start` lies in, up to the end of the year 9999."""
    try:
        yield from _hours(start, zone) if window == "hour" else _midnights(start, window, zone)
    except (OverflowError, ValueError):
        return


def _hours(moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    while True:
        local = moment.astimezone(zone)
        moment += HOUR - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        yield moment


def _midnights(start: datetime, window: str, zone: ZoneInfo) -> Iterator[datetime]:
    """The midnight that begins each day or month. If the clocks skip it, it is the moment at which they do."""
    day = start.astimezone(zone).date()
    while True:
        day = _next(day, window)
        yield months.midnight(day, zone.key)


def _next(day: date, window: str) -> date:
    return months.shift(day, 1) if window == "month" else day + DAY
