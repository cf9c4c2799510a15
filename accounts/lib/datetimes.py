"""Moments as people write them: ISO 8601, a naive one or a mere date in the caller's time zone."""

import re
from datetime import UTC, datetime

from accounts.lib import timezones

LONGEST = 64  # characters; more is no moment, and not worth a search

# In a query string an unescaped "+05:45" arrives as " 05:45".
_PLUS_LOST = re.compile(r"(T\S+) (\d\d:?\d\d)$")


def parse(text: str, timezone: str) -> datetime:
    """The moment in UTC. `ValueError` when it is not ISO 8601, or beyond the years 1 to 9999."""
    if len(text) > LONGEST:
        raise ValueError("too long")
    text = text.strip()
    moment = datetime.fromisoformat(_PLUS_LOST.sub(r"\1+\2", text) if " " in text else text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezones.zone(timezone))
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("out of range") from error
