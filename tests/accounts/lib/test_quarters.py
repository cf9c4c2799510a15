"""Quarters of an hour and months, in Python and in SQL."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib import months, quarters, sql
from tests.properties import search

moments = st.datetimes(datetime(2, 1, 1), datetime(9998, 12, 31), timezones=st.just(UTC))
TICK = timedelta(microseconds=1)


@search(200)
@given(moment=moments)
def test_a_moment_lies_in_the_quarter_of_its_number(moment: datetime) -> None:
    start = quarters.floor(moment)
    assert start <= moment < start + quarters.QUARTER
    assert (start.minute % 15, start.second, start.microsecond) == (0, 0, 0)
    assert quarters.number_of(start) == quarters.number_of(moment) == quarters.number_of(start - TICK) + 1


@pytest.mark.django_db
@search(50)
@given(moment=moments)
def test_sql_agrees_with_python(moment: datetime) -> None:
    statement = sql.compose(
        "SELECT {floor}, {start}, {moment} FROM (SELECT %(moment)s::timestamptz AS moment,"
        " %(number)s::bigint AS number, %(microseconds)s::bigint AS microseconds) given",
        floor=quarters.sql_floor("moment"),
        start=quarters.sql_start_of("number"),
        moment=quarters.sql_moment("microseconds"),
    )
    since_epoch, number = quarters.microseconds(moment), quarters.number_of(moment)
    given = {"moment": moment, "number": number, "microseconds": since_epoch}
    assert sql.rows(statement, given) == [(quarters.floor(moment), quarters.floor(moment), moment)]


@search(200)
@given(moment=moments, by=st.integers(-5, 5))
def test_a_month_is_followed_by_the_next(moment: datetime, by: int) -> None:
    month = months.month_of(moment)
    start, end = months.bounds(month)
    assert start <= moment < end
    assert months.month_of(end) == months.shift(month, 1)
    assert months.shift(months.shift(month, by), -by) == month


@pytest.mark.parametrize(
    ("zone", "month", "start", "end"),
    [
        ("UTC", "2026-12-01", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("Asia/Kathmandu", "2026-11-01", "2026-10-31T18:15", "2026-11-30T18:15"),
        ("America/New_York", "2026-11-01", "2026-11-01T04:00", "2026-12-01T05:00"),  # the clocks are set back
    ],
)
def test_the_bounds_of_a_month_there(zone: str, month: str, start: str, end: str) -> None:
    expected = tuple(datetime.fromisoformat(moment).replace(tzinfo=UTC) for moment in (start, end))
    assert months.bounds(date.fromisoformat(month), zone) == expected
