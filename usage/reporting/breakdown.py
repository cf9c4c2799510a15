"""Usage by group: the largest groups by name and the rest as one, over the whole time and in each window."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db.models import BooleanField, Case, F, Q, QuerySet, TextField, Value, When

from usage.reporting import calendar, timeseries, totals
from usage.reporting.timeseries import GROUPS, NOTHING, Query, Sums
from usage.reporting.totals import NO_ENDPOINT

SHOWN = 7
MEASURES: dict[str, Callable[[Sums], Decimal]] = {
    "credits": lambda sums: sums.credits,
    "requests": lambda sums: Decimal(sums.requests),
    "units": lambda sums: sums.quantity,
}


@dataclass(frozen=True)
class Series:
    """One group: `name` is None for usage without a key, and for the rest. `values` has the sums of each window.

    `before` are the sums of the period before, if that was asked for.
    """

    name: str | None
    is_rest: bool
    total: Sums
    before: Sums | None
    values: list[Sums]


@dataclass(frozen=True)
class Breakdown:
    """`bounds` are the n + 1 bounds of the n windows. The series are in order, largest first, the rest last."""

    bounds: list[datetime]
    series: list[Series]
    total: Sums
    before: Sums | None


def of(query: Query, measure: str, earlier: tuple[datetime, datetime] | None = None) -> Breakdown:
    """The usage of `query`, which is grouped by one of GROUPS; `earlier` is the span that it is compared with.

    Raises `calendar.TooManyWindows`.
    """
    span = totals.span_of(query.start, query.end)
    query = replace(query, start=span.start, end=span.end)
    value = MEASURES[measure]
    sums = _by_group(query)
    ranked = sorted(sums, key=lambda name: (-value(sums[name]), -sums[name].requests, name or ""))
    named = ranked if len(ranked) <= SHOWN + 1 else ranked[:SHOWN]
    before = _by_group(_at(query, *earlier)) if earlier else None
    bounds = calendar.bounds(query.start, query.end, query.window, query.timezone)
    values = _values(query, named, bounds[:-1])
    series = [
        Series(name, False, sums[name], before.get(name, NOTHING) if before is not None else None, values[name, False])
        for name in named
    ]
    total = sum(sums.values(), NOTHING)
    total_before = sum(before.values(), NOTHING) if before is not None else None
    if len(named) < len(ranked):
        rest = sum((sums[name] for name in ranked[SHOWN:]), NOTHING)
        earlier_rest = (
            sum((part for name, part in before.items() if name not in named), NOTHING) if before is not None else None
        )
        series.append(Series(None, True, rest, earlier_rest, values[None, True]))
    return Breakdown(bounds, series, total, total_before)


def _at(query: Query, start: datetime, end: datetime) -> Query:
    span = totals.span_of(start, end)
    return replace(query, start=span.start, end=span.end)


def _by_group(query: Query) -> dict[str | None, Sums]:
    sums: dict[str | None, Sums] = {}
    for source, columns in timeseries.sources(query):
        rows = source.values_list(GROUPS[query.group_by[0]]).annotate(**columns).order_by()
        for name, *part in rows:
            shown = _shown(query, name)
            sums[shown] = sums.get(shown, NOTHING) + _read(part)
    return {name: part for name, part in sums.items() if part.requests}  # not where all was taken back


def _values(query: Query, named: list[str | None], starts: list[datetime]) -> dict[tuple[str | None, bool], list[Sums]]:
    """The sums of each window, by the name of the group, or together for the rest."""
    groups: list[tuple[str | None, bool]] = [*((name, False) for name in named), (None, True)]
    values = {group: [NOTHING] * len(starts) for group in groups}
    if not starts:
        return values
    for source, columns in timeseries.sources(query):
        for number, is_rest, name, *part in _rows(query, source, columns, named, starts):
            group = (None if is_rest else _shown(query, name), is_rest)
            values[group][number - 1] += _read(part)
    return values


def _rows(
    query: Query, source: QuerySet[Any], columns: dict[str, Any], named: list[str | None], starts: list[datetime]
) -> QuerySet[Any, Any]:
    column = GROUPS[query.group_by[0]]
    names = [name for name in named if name is not None] + ([""] if NO_ENDPOINT in named else [])
    is_named = Q(**{f"{column}__in": names})
    if None in named:
        is_named |= Q(**{f"{column}__isnull": True})
    rows: QuerySet[Any, Any] = (
        source.annotate(
            number=timeseries.window_of(starts),
            is_rest=Case(When(is_named, then=Value(False)), default=Value(True), output_field=BooleanField()),
            group_name=Case(When(is_named, then=F(column)), default=Value(None), output_field=TextField()),
        )
        .values_list("number", "is_rest", "group_name")
        .annotate(**columns)
        .order_by()
    )
    return rows


def _shown(query: Query, name: str | None) -> str | None:
    return name or NO_ENDPOINT if query.group_by == ("endpoint",) else name


def _read(part: list[Any]) -> Sums:
    requests, failed, quantity, credits = part
    return Sums(int(requests), int(failed), quantity, credits)
