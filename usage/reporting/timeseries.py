"""Usage over time: the usage in each window, by meter, endpoint, key or organization.

PostgreSQL sums the buckets by the number of the window that they lie in (`width_bucket`). Python makes the windows'
bounds, because PostgreSQL's `date_trunc` makes one hour of two where clocks are set back, and uses its own copy of the
time zones.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db.models import Count, DateTimeField, F, Func, IntegerField, Q, QuerySet, Sum, Value

from accounts.lib.money import ZERO
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.models import EndpointRollup, UsageRollup
from usage.reporting import calendar, totals
from usage.reporting.totals import NO_ENDPOINT, Span

# What usage is grouped by, in the order in which a point shows it, and the field that names it.
GROUPS = {
    "meter": "meter__slug",
    "endpoint": "endpoint",
    "key": "key__public_id",
    "organization": "organization__public_id",
}
MOST_POINTS = 10_000
SUMS_OF_ROLLUPS = {"n": Sum("requests"), "bad": Sum("failed"), "amount": Sum("quantity"), "paid": Sum("credits")}
SUMS_OF_EVENTS = {
    "n": Count("id"),
    "bad": Count("id", filter=Q(failed=True)),
    "amount": Sum("quantity"),
    "paid": Sum("credits"),
}

Names = tuple[str | None, ...]  # in the order of `group_by`; None for usage without a key


class TooManyPoints(Exception):
    """More than `MOST_POINTS`."""


@dataclass(frozen=True)
class Query:
    """Usage in [start, end) of the organization and all beneath it, by windows of `timezone`."""

    organization: Organization
    start: datetime
    end: datetime
    window: str
    timezone: str
    group_by: tuple[str, ...] = ()  # keys of GROUPS, in their order
    environment: str = "live"
    meter: Meter | None = None
    key: ApiKey | None = None
    endpoint: str | None = None  # NO_ENDPOINT for events that named none

    @property
    def has_one_unit(self) -> bool:
        """Whether quantities may be added up. A second of voice and an SMS can't."""
        return self.meter is not None or "meter" in self.group_by

    @property
    def rollup(self) -> type[UsageRollup] | type[EndpointRollup]:
        needs_endpoint = "endpoint" in self.group_by or self.endpoint is not None
        return EndpointRollup if needs_endpoint else UsageRollup

    @property
    def filter(self) -> Q:
        condition = Q(meter=self.meter) if self.meter else Q()
        if self.key:
            condition &= Q(key=self.key)
        if self.endpoint is not None:
            condition &= Q(endpoint__in=["", NO_ENDPOINT] if self.endpoint == NO_ENDPOINT else [self.endpoint])
        return condition


@dataclass(frozen=True)
class Sums:
    requests: int
    failed: int
    quantity: Decimal
    credits: Decimal

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(
            self.requests + other.requests,
            self.failed + other.failed,
            self.quantity + other.quantity,
            self.credits + other.credits,
        )


NOTHING = Sums(0, 0, ZERO, ZERO)


@dataclass(frozen=True)
class Point:
    """The sums of one group in the window [start, end)."""

    start: datetime
    end: datetime
    names: Names
    sums: Sums


def run(query: Query) -> list[Point]:
    """The points by time, then by group. Ungrouped, every window has one; grouped, only those with usage.

    Raises `calendar.TooManyWindows` or `TooManyPoints`. Where events were retired, `start` and `end` are moved to the
    start of their quarters of an hour.
    """
    span = totals.span_of(query.start, query.end)
    query = replace(query, start=span.start, end=span.end)
    bounds = calendar.bounds(query.start, query.end, query.window, query.timezone)
    sums: dict[tuple[int, Names], Sums] = {}
    if not query.group_by:
        sums = {(number, ()): NOTHING for number in range(1, len(bounds))}
    for number, names, part in _sums(query, bounds[:-1]) if bounds else ():
        sums[number, names] = sums.get((number, names), NOTHING) + part
    if len(sums) > MOST_POINTS:
        raise TooManyPoints
    used = [item for item in sums.items() if item[1].requests or not query.group_by]  # not if all was taken back
    ordered = sorted(used, key=lambda item: (item[0][0], [name or "" for name in item[0][1]]))
    return [Point(bounds[number - 1], bounds[number], names, part) for (number, names), part in ordered]


def _sums(query: Query, starts: list[datetime]) -> Iterator[tuple[int, Names, Sums]]:
    """Of the rollups and then of the events of the edges: a window's number, from 1, the names of its group, the sums.

    The same window and group may come from several of them.
    """
    for source, sums in sources(query):
        yield from _grouped(query, source, starts, sums)


def sources(query: Query) -> Iterator[tuple[QuerySet[Any], dict[str, Any]]]:
    """The rows that the query is about, each with its `moment`, and the sums to take of them."""
    span = Span(query.start, query.end)
    rollups, edges = totals.sources(query.rollup, query.organization, span, query.environment)
    for source in (rollups, totals.imported(query.organization, span, query.environment)):
        yield source.filter(query.filter).annotate(moment=F("bucket")), SUMS_OF_ROLLUPS
    for events in edges:
        yield events.filter(query.filter).annotate(moment=F("occurred_at")), SUMS_OF_EVENTS


def window_of(starts: list[datetime], field: str = "moment") -> Any:
    """The number, from 1, of the window in which the moment of a row lies."""
    bounds = Value(starts, output_field=ArrayField(DateTimeField()))
    return Func(F(field), bounds, function="width_bucket", output_field=IntegerField())


def _grouped(
    query: Query, source: QuerySet[Any], starts: list[datetime], sums: dict[str, Any]
) -> Iterator[tuple[int, Names, Sums]]:
    columns = [GROUPS[group] for group in query.group_by]
    grouped = source.annotate(number=window_of(starts)).values_list("number", *columns).annotate(**sums)
    for number, *names, n, bad, amount, paid in grouped.order_by()[: MOST_POINTS + 1]:
        yield number, _shown(query, names), Sums(int(n), int(bad), amount, paid)


def _shown(query: Query, names: Iterable[str | None]) -> Names:
    return tuple(
        name or NO_ENDPOINT if group == "endpoint" else name for group, name in zip(query.group_by, names, strict=True)
    )
