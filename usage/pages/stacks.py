"""The geometry of stacked bars, in per cent of their box, like `charts`."""

import math
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal

from django.utils.dateformat import format as date_format
from django.utils.translation import gettext, gettext_lazy

from billing.templatetags.money import amount
from usage.pages.charts import GAP
from usage.reporting.breakdown import MEASURES, Breakdown

LINES = 5
NAMES = 6
FORMATS = {"hour": gettext_lazy("j M, H:i"), "day": gettext_lazy("j M"), "month": "M Y"}


@dataclass(frozen=True)
class Segment:
    """What one series has in one bar. `number` is that of its colour, `amount` its value as people read it."""

    number: int
    name: str
    amount: str
    y: str
    height: str


@dataclass(frozen=True)
class Stack:
    start: datetime
    label: str
    total: Decimal
    x: str
    width: str
    parts: list[Segment]


@dataclass(frozen=True)
class StackedChart:
    stacks: list[Stack]
    lines: list[tuple[Decimal, str]]  # a value, and its distance from the top
    names: list[tuple[str, str, str]]  # under the bars: a label, its place, and how it is anchored there


def axis(window: str, zone: str) -> dict[str, str]:
    """The labels under the bars, and the headings of the table with their numbers."""
    match window:
        case "hour":
            title, numbers = gettext("Hours in %(zone)s"), gettext("The numbers, hour by hour")
        case "month":
            title, numbers = gettext("Months in %(zone)s"), gettext("The numbers, month by month")
        case _:
            title, numbers = gettext("Days in %(zone)s"), gettext("The numbers, day by day")
    return {"axis": title % {"zone": zone}, "numbers_title": numbers}


def stacked(breakdown: Breakdown, measure: str, window: str, zone: tzinfo, labels: list[str]) -> StackedChart:
    """A bar for each window, the largest series at the bottom. `labels` are the names of the series."""
    value = MEASURES[measure]
    columns = [
        [value(sums) for sums in column] for column in zip(*(series.values for series in breakdown.series), strict=True)
    ]
    starts = breakdown.bounds[:-1]
    columns = columns or [[] for _ in starts]
    largest = max((sum((part for part in column if part > 0), Decimal(0)) for column in columns), default=Decimal(0))
    step = _step(largest)
    top = step * max(1, math.ceil(largest / step))
    local = [start.astimezone(zone) for start in starts]
    stacks = [
        _stack(number, len(starts), date_format(start, str(FORMATS[window])), start, column, top, labels)
        for number, (start, column) in enumerate(zip(local, columns, strict=True))
    ]
    lines = [(step * line, _percent(100 - 100 * step * line / top)) for line in range(int(top / step) + 1)]
    return StackedChart(stacks, lines, _names(stacks))


def _stack(
    number: int, count: int, label: str, start: datetime, column: list[Decimal], top: Decimal, labels: list[str]
) -> Stack:
    slot, parts, reached = 100 / count, [], Decimal(0)
    for index, part in enumerate(column):
        if part > 0:  # voids may make the sum of a window negative
            reached += part
            parts.append(
                Segment(
                    index, labels[index], amount(part), _percent(100 - 100 * reached / top), _percent(100 * part / top)
                )
            )
    x, width = f"{slot * (number + GAP / 2):.3f}%", f"{slot * (1 - GAP):.3f}%"
    return Stack(start, label, sum(column, Decimal(0)), x, width, parts)


def _names(stacks: list[Stack]) -> list[tuple[str, str, str]]:
    every = max(1, math.ceil(len(stacks) / NAMES))
    chosen = [(number, stacks[number]) for number in range(0, len(stacks), every)]
    return [(stack.label, f"{100 * number / len(stacks):.2f}%", "start") for number, stack in chosen]


def _step(largest: Decimal) -> Decimal:
    """The value between two lines: 1, 2, 5 or 10 times a power of ten, so that five lines are enough."""
    if largest <= 0:
        return Decimal(1)
    scale = Decimal(1).scaleb((largest / LINES).adjusted())
    return next(scale * factor for factor in (1, 2, 5, 10) if largest <= LINES * factor * scale)


def _percent(number: Decimal) -> str:
    return f"{max(number, Decimal(0)):.2f}%"
