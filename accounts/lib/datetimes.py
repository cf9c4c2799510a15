"""Datetimes as callers write them: RFC 3339, or an ISO 8601 calendar date with separators; nothing else."""

import re
from datetime import UTC, datetime

from accounts.lib import timezones

LONGEST = 64  # characters

EXPECTED = "Expected an RFC 3339 datetime such as 2026-01-15T08:30:00Z, or a date such as 2026-01-15."

# Without an offset, the caller's time zone counts. In a query string an unescaped "+05:45" arrives as " 05:45".
_FORM = re.compile(
    r"\d{4}-\d\d-\d\d"
    r"(?:[T ]\d\d:\d\d(?::(?P<second>\d\d)(?:[.,]\d+)?)?(?P<offset>Z|[+\- ]\d\d(?::[0-5]\d)?)?)?",
    re.ASCII,
)
_LAST_OF_MINUTE = "59.999999"


def parse(text: str, timezone: str) -> datetime:
    """The datetime in UTC. Without an offset it is read in `timezone`; a date is midnight there.

    Digits beyond microseconds are cut. A leap second, 23:59:60, is read as the last microsecond before it ends.
    Raises `ValueError` for any other form, and beyond the years 1 to 9999.
    """
    if _is_plain_utc(text):
        try:
            return datetime.fromisoformat(text)
        except ValueError:
            return _in_any_form(text, timezone)  # it may be a leap second
    return _in_any_form(text, timezone)


def _in_any_form(text: str, timezone: str) -> datetime:
    text = text.upper()
    match = _FORM.fullmatch(text) if len(text) <= LONGEST else None
    if match is None:
        raise ValueError(EXPECTED)
    offset = match["offset"] or ""
    local = text.removesuffix(offset)
    if match["second"] == "60":
        local = local[: match.start("second")] + _LAST_OF_MINUTE
    return _in_utc(datetime.fromisoformat(local + offset.replace(" ", "+")), timezone)


def _is_plain_utc(text: str) -> bool:
    """Whether the text has the form in which nearly all events come, such as 2026-01-15T08:30:00.5+00:00.

    `fromisoformat` checks the rest of it, much faster than the regular expression. It would let more pass after the
    seconds, so that part is checked here.
    """
    offset = 1 if text[-1:] == "Z" else 6 if text.endswith("+00:00") else 0
    if not (offset and 19 + offset <= len(text) <= 32 and text[10] == "T"):
        return False
    if not (text[4] == text[7] == "-" and text[13] == text[16] == ":"):
        return False
    fraction = text[19:-offset]
    return not fraction or (fraction[0] == "." and fraction[1:].isdigit() and fraction.isascii())


def _in_utc(moment: datetime, timezone: str) -> datetime:
    if moment.tzinfo is UTC:
        return moment
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezones.zone(timezone))
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
