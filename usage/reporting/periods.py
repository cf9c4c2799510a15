"""Calendar periods in the caller's time zone."""

from datetime import UTC, datetime

from accounts.lib import timezones

PERIODS = ("daily", "monthly", "yearly")


def start_of(period: str, now: datetime, timezone: str) -> datetime:
    """The start of today, of this month or of this year, there; in UTC."""
    local = now.astimezone(timezones.zone(timezone)).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if period != "daily":
        local = local.replace(day=1)
    if period == "yearly":
        local = local.replace(month=1)
    return local.astimezone(UTC)
