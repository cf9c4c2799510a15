"""Usage over time: what was used in each window, by meter, endpoint, key or organization.

PostgreSQL sums the buckets by their place among the windows' bounds (`width_bucket`). The bounds are made here, and not
by its `date_trunc`, which makes one hour of two where clocks are set back, and has a copy of the zones of its own.
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

# What usage is grouped by, in the order in which a row shows it, and where its name stands.
GROUPS = {
    "meter": "meter__slug",
    "endpoint": "endpoint",
    "key": "key__public_id",
    "organization": "organization__public_id",
}
MOST_ROWS = 10_000
ROLLED_UP = {"n": Sum("requests"), "bad": Sum("failed"), "amount": Sum("quantity"), "paid": Sum("credits")}
COUNTED = {
    "n": Count("id"),
    "bad": Count("id", filter=Q(failed=True)),
    "amount": Sum("quantity"),
    "paid": Sum("credits"),
}


class TooManyRows(Exception):
    """More than `MOST_ROWS`."""


@dataclass(frozen=True)
class Question:
    """What of [start, end) is asked for: of the organization and all beneath it, by windows of `timezone`."""

    organization: Organization
    start: datetime
    end: datetime
    window: str
    timezone: str
    group_by: tuple[str, ...] = ()  # names of GROUPS, in their order
    environment: str = "live"
    meter: Meter | None = None
    key: ApiKey | None = None
    endpoint: str | None = None  # NO_ENDPOINT for those that named none

    @property
    def of_one_unit(self) -> bool:
        """Whether quantities may be added up: a second of voice and an SMS are not two of anything."""
        return self.meter is not None or "meter" in self.group_by

    @property
    def rollup(self) -> type[UsageRollup] | type[EndpointRollup]:
        by_endpoint = "endpoint" in self.group_by or self.endpoint is not None
        return EndpointRollup if by_endpoint else UsageRollup

    @property
    def filter(self) -> Q:
        found = Q(meter=self.meter) if self.meter else Q()
        if self.key:
            found &= Q(key=self.key)
        if self.endpoint is not None:
            found &= Q(endpoint__in=["", self.endpoint] if self.endpoint == totals.NO_ENDPOINT else [self.endpoint])
        return found


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
class Row:
    """The sums of [start, end); `groups` are names, in the order of `group_by`, None where there is no key."""

    start: datetime
    end: datetime
    groups: tuple[str | None, ...]
    sums: Sums


def rows(asked: Question) -> list[Row]:
    """By time, then by group. Ungrouped, every window has a row; grouped, those in which something was used.

    `windows.TooManyWindows` or `TooManyRows` where they would be too many. Where events were retired, `start` and
    `end` go back to the start of their quarters of an hour.
    """
    span = totals.span_of(asked.start, asked.end)
    asked = replace(asked, start=span.start, end=span.end)
    bounds = calendar.bounds(asked.start, asked.end, asked.window, asked.timezone)
    found: dict[tuple[int, tuple[str | None, ...]], Sums] = {}
    if not asked.group_by:
        found = {(place, ()): NOTHING for place in range(1, len(bounds))}
    for place, groups, sums in _sums(asked, bounds[:-1]) if bounds else ():
        found[place, groups] = found.get((place, groups), NOTHING) + sums
    if len(found) > MOST_ROWS:
        raise TooManyRows
    used = [item for item in found.items() if item[1].requests or not asked.group_by]  # not where all was taken back
    ordered = sorted(used, key=lambda item: (item[0][0], [name or "" for name in item[0][1]]))
    return [Row(bounds[place - 1], bounds[place], groups, sums) for (place, groups), sums in ordered]


def _sums(asked: Question, starts: list[datetime]) -> Iterator[tuple[int, tuple[str | None, ...], Sums]]:
    """Of the rollups and then of the events of the edges: a window's place, counted from 1, its groups and sums."""
    span = totals.Range(asked.start, asked.end)
    inner, edges = totals.rows(asked.rollup, asked.organization, span, asked.environment)
    yield from _grouped(asked, inner, "bucket", starts, ROLLED_UP)
    for edge in edges:
        yield from _grouped(asked, edge, "occurred_at", starts, COUNTED)


def _grouped(
    asked: Question, source: QuerySet[Any], moment: str, starts: list[datetime], sums: dict[str, Any]
) -> Iterator[tuple[int, tuple[str | None, ...], Sums]]:
    place: Any = Func(
        F(moment),
        Value(starts, output_field=ArrayField(DateTimeField())),
        function="width_bucket",
        output_field=IntegerField(),
    )
    columns = [GROUPS[name] for name in asked.group_by]
    grouped = source.filter(asked.filter).annotate(place=place).values_list("place", *columns).annotate(**sums)
    for at, *names, n, bad, amount, paid in grouped.order_by()[: MOST_ROWS + 1]:
        yield at, _shown(asked, names), Sums(int(n), int(bad), amount, paid)


def _shown(asked: Question, names: Iterable[str | None]) -> tuple[str | None, ...]:
    return tuple(
        name or totals.NO_ENDPOINT if group == "endpoint" else name
        for group, name in zip(asked.group_by, names, strict=True)
    )
