"""Calendar months of a payer."""

from datetime import date, datetime

from accounts.lib import timezones


def month_of(moment: datetime, zone: str) -> date:
    """The first day of the calendar month of `moment` in the payer's time zone."""
    return moment.astimezone(timezones.zone(zone)).date().replace(day=1)
