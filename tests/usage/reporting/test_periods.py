"""Where today, this month and this year begin, by the caller's clocks."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties import search
from usage.reporting import periods

ZONES = [
    "UTC", "Asia/Kathmandu", "Asia/Kolkata", "America/St_Johns", "America/New_York", "Australia/Lord_Howe",
    "America/Havana", "Africa/Cairo", "America/Sao_Paulo", "Pacific/Apia", "Pacific/Kiritimati", "Etc/GMT+12",
]  # fmt: skip
TICK = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("period", "zone", "now", "start"),
    [
        ("daily", "UTC", "2026-11-20T13:05", "2026-11-20T00:00"),
        ("monthly", "UTC", "2026-11-20T13:05", "2026-11-01T00:00"),
        ("yearly", "UTC", "2026-11-20T13:05", "2026-01-01T00:00"),
        ("daily", "Asia/Kathmandu", "2026-11-20T18:15", "2026-11-20T18:15"),
        ("daily", "Asia/Kathmandu", "2026-11-20T18:14", "2026-11-19T18:15"),
        ("monthly", "America/New_York", "2026-11-20T13:05", "2026-11-01T04:00"),
        ("yearly", "America/New_York", "2026-07-20T13:05", "2026-01-01T05:00"),
        ("monthly", "Pacific/Kiritimati", "2026-10-31T10:00", "2026-10-31T10:00"),
        ("yearly", "Pacific/Kiritimati", "2025-12-31T10:00", "2025-12-31T10:00"),
    ],
)
def test_a_period_begins_at_midnight_there(period: str, zone: str, now: str, start: str) -> None:
    begins = periods.start_of(period, datetime.fromisoformat(now).replace(tzinfo=UTC), zone)
    assert begins == datetime.fromisoformat(start).replace(tzinfo=UTC)
    assert begins.tzinfo is UTC


@pytest.mark.parametrize(
    ("zone", "now", "start"),
    [
        ("America/Sao_Paulo", "2018-11-04T12:00", "2018-11-04T03:00"),  # 00:00 is left out: the day begins at 01:00
        ("Africa/Cairo", "2024-04-26T12:00", "2024-04-25T22:00"),
        ("America/Havana", "2024-11-03T12:00", "2024-11-03T04:00"),  # 00:00 comes twice: the day begins with the first
        ("America/Havana", "2024-11-03T05:30", "2024-11-03T04:00"),  # now is in the second
    ],
)
def test_a_day_on_which_the_clocks_change_at_midnight(zone: str, now: str, start: str) -> None:
    begins = periods.start_of("daily", datetime.fromisoformat(now).replace(tzinfo=UTC), zone)
    assert begins == datetime.fromisoformat(start).replace(tzinfo=UTC)


def test_a_zone_that_is_gone_is_read_as_utc() -> None:
    assert periods.start_of("daily", datetime(2026, 11, 20, 13, tzinfo=UTC), "Mars/Olympus").hour == 0


@search(200)
@given(
    period=st.sampled_from(periods.PERIODS),
    zone=st.sampled_from(ZONES),
    now=st.datetimes(datetime(2000, 1, 2), datetime(2035, 1, 1), timezones=st.just(UTC)),
)
def test_a_period_begins_with_the_first_moment_of_its_name(period: str, zone: str, now: datetime) -> None:
    """The clocks there say the same day, month or year at the start as now, and another just before."""
    name = {"daily": "%Y-%m-%d", "monthly": "%Y-%m", "yearly": "%Y"}[period]
    start = periods.start_of(period, now, zone)
    before, at, then = (m.astimezone(ZoneInfo(zone)).strftime(name) for m in (start - TICK, start, now))
    assert start <= now
    assert (before != at, at) == (True, then)
