"""Windows of time as the clocks and the calendar of a time zone make them: hours, days, months."""

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

    Nothing for an empty range. The first and the last window are as short as the range cuts them. An hour that the
    clocks repeat is two windows; a day that a zone left out is none. Where an offset isn't a whole quarter of an hour,
    as before the zones of today, a bound stands at the quarter before, so that no bucket lies in two windows.
    """
    if start >= end:
        return []
    found = [start]
    for begins in _beginnings(start, window, timezones.zone(timezone)):
        bound = quarters.floor(begins)
        if bound >= end:
            break
        if bound > found[-1]:
            found.append(bound)
        if len(found) > MOST:
            raise TooManyWindows
    return [*found, end]


def _beginnings(start: datetime, window: str, zone: ZoneInfo) -> Iterator[datetime]:
    """When each window after the one of `start` begins, as far as the calendar goes."""
    try:
        yield from _hours(start, zone) if window == "hour" else _midnights(start, window, zone)
    except (OverflowError, ValueError):  # after the year 9999
        return


def _hours(moment: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    while True:
        local = moment.astimezone(zone)
        moment += HOUR - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        yield moment


def _midnights(start: datetime, window: str, zone: ZoneInfo) -> Iterator[datetime]:
    """The first midnight of each day or month; where the clocks skip it, the moment when they do."""
    day = start.astimezone(zone).date()
    while True:
        day = _following(day, window)
        yield months.midnight(day, zone.key)


def _following(day: date, window: str) -> date:
    return months.shift(day, 1) if window == "month" else day + DAY
