"""Calendar months. A month is its first day."""

import re
from datetime import UTC, date, datetime, time

from accounts.lib import timezones

_FORM = re.compile(r"\d{4}-\d\d", re.ASCII)


def parse(text: str) -> date:
    """The month of a text such as `2026-10`; `ValueError` for any other form."""
    if not _FORM.fullmatch(text):
        raise ValueError(text)
    return date(int(text[:4]), int(text[5:]), 1)


def month_of(moment: datetime, zone: str = "UTC") -> date:
    """The month of `moment` in a time zone."""
    return moment.astimezone(timezones.zone(zone)).date().replace(day=1)


def shift(month: date, by: int) -> date:
    """The month that is `by` months later; earlier, if `by` is negative."""
    months = month.year * 12 + month.month - 1 + by
    return date(months // 12, months % 12 + 1, 1)


def midnight(day: date, zone: str = "UTC") -> datetime:
    """The first instant of a day in a time zone; in UTC."""
    return datetime.combine(day, time(), timezones.zone(zone)).astimezone(UTC)


def bounds(month: date, zone: str = "UTC") -> tuple[datetime, datetime]:
    """[start, end) of a month in a time zone; in UTC."""
    return midnight(month, zone), midnight(shift(month, 1), zone)
