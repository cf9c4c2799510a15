"""The periods of a subscription: each second is in exactly one, whatever the zone, the clocks and the calendar do."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from accounts.lib.money import rounded
from billing.invoicing import periods
from billing.models import Interval

# From UTC−11 to UTC+14, with 30 and 45 minutes, with and without changes of the clocks, and one that skipped a day.
ZONES = (
    *("Pacific/Pago_Pago", "Pacific/Marquesas", "America/St_Johns", "America/New_York", "America/Sao_Paulo", "UTC"),
    *("Europe/Paris", "Africa/Casablanca", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "Asia/Tokyo"),
    *("Pacific/Chatham", "Pacific/Apia", "Pacific/Kiritimati"),
)
ANCHORS = (
    *(datetime(2026, 1, 31, 12), datetime(2024, 2, 29, 0), datetime(2026, 3, 29, 2, 30), datetime(2026, 10, 25, 2, 30)),
    *(datetime(2026, 11, 1, 1, 30), datetime(2026, 12, 31, 23, 59, 59, 999999), datetime(2011, 11, 30, 12)),
)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("interval", Interval.values)
def test_every_second_is_in_exactly_one_period(zone: str, interval: str) -> None:
    for anchor in ANCHORS:
        ends = [periods.boundary(anchor, number, interval, zone) for number in range(61)]
        assert ends == sorted(set(ends))
        shortest, longest = (27, 32) if interval == Interval.MONTH else (364, 367)
        assert all(shortest <= (end - start).days <= longest for start, end in pairwise(ends))
        for number, end in enumerate(ends):
            inside = sum(start <= end < stop for start, stop in pairwise(ends))
            assert inside == (number < len(ends) - 1)
            assert periods.boundary(anchor, number, interval, zone) == end


@pytest.mark.parametrize("zone", ZONES)
def test_the_month_of_a_moment_is_found_again(zone: str) -> None:
    for anchor in ANCHORS:
        for number in (0, 1, 13, 47):
            start = periods.boundary(anchor, number, Interval.MONTH, zone)
            end = periods.boundary(anchor, number + 1, Interval.MONTH, zone)
            assert periods.months_between(anchor, start, zone) == number
            assert periods.months_between(anchor, end - timedelta(microseconds=1), zone) == number


def days(anchor: datetime, interval: str, count: int) -> list[str]:
    return [f"{periods.boundary(anchor, number, interval, 'UTC'):%m-%d}" for number in range(1, count + 1)]


def test_the_last_day_comes_back_after_a_short_month() -> None:
    assert days(datetime(2026, 1, 31, 12), "month", 5) == ["02-28", "03-31", "04-30", "05-31", "06-30"]
    assert days(datetime(2023, 12, 31), "month", 3) == ["01-31", "02-29", "03-31"]
    assert days(datetime(2024, 2, 29), "year", 4) == ["02-28", "02-28", "02-28", "02-29"]


def test_a_renewal_keeps_its_local_time_when_the_clocks_change() -> None:
    anchor = periods.wall_time(datetime(2026, 3, 15, 8, tzinfo=UTC), "Europe/Paris")
    assert anchor == datetime(2026, 3, 15, 9)
    assert periods.boundary(anchor, 1, "month", "Europe/Paris") == datetime(2026, 4, 15, 7, tzinfo=UTC)


@pytest.mark.parametrize("zone", ZONES)
def test_the_part_of_a_price_is_by_seconds_of_the_whole_period(zone: str) -> None:
    """An upgrade cuts the period in two, and what is paid for the two parts is the whole."""
    anchor, price = datetime(2026, 2, 28, 12), Decimal("29.99")
    start, end = (periods.boundary(anchor, number, "month", zone) for number in (0, 1))
    assert periods.part(price, start, start, end) == price
    assert periods.part(price, end, start, end) == 0
    assert periods.part(price, start + (end - start) / 2, start, end) == rounded(price / 2)
    for second in (1, 86_399, 1_000_000):
        now = start + timedelta(seconds=second)
        exact = price * (end - now).total_seconds().__int__() / int((end - start).total_seconds())
        assert abs(periods.part(price, now, start, end) - exact) <= Decimal("1E-9")


def test_a_trial_is_announced_seven_days_before_its_end_or_three_if_it_is_short() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    for days_long, days_before in ((30, 7), (8, 7), (7, 3), (2, 2)):
        end = start + timedelta(days=days_long)
        assert periods.reminder(start, end) == end - timedelta(days=days_before)
