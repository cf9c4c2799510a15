"""The chart's geometry, the days that it draws, and the word for how an organization stands."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib.money import ZERO
from billing.balance import Balance
from tests import factories
from tests.usage.metering.batches import event, record
from usage.pages import charts
from usage.reporting import runway
from usage.reporting import totals as reports
from usage.reporting.totals import NOTHING, Totals

START = datetime(2015, 5, 17, 18, tzinfo=UTC)


def per_cent(text: str) -> float:
    return float(text.removesuffix("%"))


def day(requests: int, failed: int = 0) -> Totals:
    return Totals(requests, failed, ZERO)


def test_a_month_has_a_bar_for_every_day_also_for_those_to_come() -> None:
    chart = charts.month({date(2024, 2, 1): day(3), date(2024, 2, 2): day(0)})
    assert len(chart.bars) == 29
    assert [bar.totals.requests for bar in chart.bars[:3]] == [3, 0, 0]


@pytest.mark.parametrize(
    ("largest", "lines"),
    [
        (0, [0, 1]),
        (1, [0, 1]),
        (5, [0, 1, 2, 3, 4, 5]),
        (6, [0, 2, 4, 6]),
        (227, [0, 50, 100, 150, 200, 250]),
        (10_001, [0, 5000, 10_000, 15_000]),
    ],
)
def test_the_scale_is_of_round_numbers(largest: int, lines: list[int]) -> None:
    assert [number for number, _ in charts.month({date(2024, 2, 1): day(largest)}).lines] == lines


@given(requests=st.integers(0, 10**12), share=st.floats(0, 1))
def test_a_bar_fits_into_its_box_with_the_failed_on_top(requests: int, share: float) -> None:
    bar = charts.month({date(2024, 2, 1): day(requests, int(requests * share))}).bars[0]
    assert 0 <= per_cent(bar.top) <= per_cent(bar.base) + 0.011 <= 100.02
    assert abs(per_cent(bar.top) + per_cent(bar.failed) - per_cent(bar.base)) < 0.03


def test_an_idle_month_is_empty() -> None:
    assert charts.month({date(2024, 2, 1): NOTHING}).is_empty


def test_a_ranking_puts_what_is_not_shown_into_one_line() -> None:
    lines = charts.ranking({"/a": 8, "/b": 4, "/c": 2, "/d": 1}, shown=2)
    assert [(line.name, line.requests, line.share) for line in lines] == [
        ("/a", 8, "100.00%"),
        ("/b", 4, "50.00%"),
        ("2 others", 3, "37.50%"),
    ]


def test_a_ranking_does_not_hide_a_single_line() -> None:
    assert [line.name for line in charts.ranking({"/a": 8, "/b": 4, "/c": 2}, shown=2)] == ["/a", "/b", "/c"]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Kathmandu", "America/St_Johns", "Pacific/Auckland"])
def test_the_days_add_up_to_the_totals_in_every_zone(db: None, zone: str) -> None:
    organization = factories.organization()
    moments = [START + timedelta(minutes=7 * n) for n in range(60)]
    record(*(event(organization, occurred_at=at.isoformat(), quantity=n) for n, at in enumerate(moments)))
    span = (START + timedelta(minutes=8), START + timedelta(minutes=400, seconds=1))
    days = reports.by_day(organization, *span, zone)
    assert sum(days.values(), NOTHING) == reports.totals(organization, *span)
    assert len(days) <= 2


def test_a_request_before_midnight_belongs_to_the_day_before(db: None) -> None:
    organization = factories.organization()
    midnight = datetime(2015, 5, 17, 18, 15, tzinfo=UTC)  # in Kathmandu
    record(*(event(organization, occurred_at=(midnight + n * timedelta.resolution).isoformat()) for n in (-1, 0)))
    days = reports.by_day(organization, START, midnight + timedelta(minutes=5), "Asia/Kathmandu")
    assert {day: totals.requests for day, totals in days.items()} == {date(2015, 5, 17): 1, date(2015, 5, 18): 1}


def test_idle_days_are_there_too(db: None) -> None:
    days = reports.by_day(factories.organization(), START, START + timedelta(days=3), "UTC")
    assert list(days) == [date(2015, 5, 17 + n) for n in range(4)]
    assert set(days.values()) == {NOTHING}


def test_a_range_that_ends_at_midnight_does_not_begin_another_day(db: None) -> None:
    first = datetime(2015, 5, 1, tzinfo=UTC)
    assert len(reports.by_day(factories.organization(), first, first + timedelta(days=31), "UTC")) == 31


@pytest.mark.parametrize(
    ("balance", "reserved", "daily", "word", "days"),
    [
        ("100", "0", "0", "Healthy", None),
        ("70", "0", "10", "Healthy", 7),
        ("70", "1", "10", "Low", 6),
        ("1", "0", "10", "Low", 0),
        ("0", "0", "0", "Empty", None),
        ("5", "5", "1", "Empty", None),
        ("-0.000000001", "0", "1", "In debt", None),
        ("1000000000", "0", "0.000000001", "Healthy", runway.FARTHEST_DAYS),
    ],
)
def test_the_word_follows_from_what_is_left_and_the_pace(
    balance: str, reserved: str, daily: str, word: str, days: int | None
) -> None:
    statement = Balance(None, Decimal(balance), Decimal(reserved), ZERO, 1)
    judged = runway.judge(statement, Decimal(daily), START)
    assert (judged.word, judged.days_left) == (word, days)


def test_a_credit_limit_keeps_a_debt_from_refusing_anything() -> None:
    statement = Balance(None, Decimal(-5), ZERO, Decimal(10), 1)
    assert runway.judge(statement, ZERO, START).word == "Healthy"
