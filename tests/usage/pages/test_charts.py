"""The chart's geometry."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib.money import ZERO
from usage.pages import charts
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
