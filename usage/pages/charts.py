"""The geometry of a bar chart, in per cent of its box.

The SVG has no viewBox: one would stretch its text and corners with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from accounts.lib import months
from usage.reporting.totals import NOTHING, Totals

GAP = 0.28  # of the width that a bar has for itself
NAMED_EVERY = 7
LINES = 5


@dataclass(frozen=True)
class Bar:
    """One day. The failed requests stand on top of the others."""

    day: date
    totals: Totals
    is_named: bool
    middle: str
    x: str
    width: str
    top: str
    succeeded: str
    failed: str

    @property
    def base(self) -> str:
        """The top of the part that succeeded."""
        return _percent(100 - float(self.succeeded.rstrip("%")))


@dataclass(frozen=True)
class Chart:
    bars: list[Bar]
    lines: list[tuple[int, str]]  # a number of requests, and its distance from the top

    @property
    def is_empty(self) -> bool:
        return not any(bar.totals.requests for bar in self.bars)


def month(days: Mapping[date, Totals]) -> Chart:
    """A bar for each day of the month in which `days` begin; days to come are empty."""
    first = min(days)
    next_month = months.shift(first.replace(day=1), 1)
    all_days = [first + timedelta(days=n) for n in range((next_month - first).days)]
    largest = max(totals.requests for totals in days.values())
    step = _step(largest)
    top = step * max(1, -(-largest // step))
    bars = [_bar(n, len(all_days), day, days.get(day, NOTHING), top) for n, day in enumerate(all_days)]
    return Chart(bars, [(n, _percent(100 - 100 * n / top)) for n in range(0, top + 1, step)])


def _step(largest: int) -> int:
    """The requests between two lines: the first of 1, 2, 5, 10, 20, … with which five lines reach the largest bar."""
    scale = 1
    while True:
        for step in (1, 2, 5):
            if largest <= LINES * step * scale:
                return step * scale
        scale *= 10


def _bar(n: int, of: int, day: date, totals: Totals, top: int) -> Bar:
    slot = 100 / of
    failed = 100 * totals.failed / top
    succeeded = 100 * (totals.requests - totals.failed) / top
    return Bar(
        day=day,
        totals=totals,
        is_named=n % NAMED_EVERY == 0,
        middle=_percent(slot * (n + 0.5)),
        x=_percent(slot * (n + GAP / 2)),
        width=_percent(slot * (1 - GAP)),
        top=_percent(100 - succeeded - failed),
        succeeded=_percent(succeeded),
        failed=_percent(failed),
    )


def _percent(number: float) -> str:
    return f"{max(number, 0):.2f}%"
