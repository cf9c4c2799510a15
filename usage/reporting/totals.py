"""The exact usage between two moments: whole quarters of an hour from the rollups, the edges from the events.

What was imported from another system is added: each row of it lies at the moment at which its month or day begins.

Where events were retired there are no edges; a moment there is read as the start of its quarter.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db.models import BigIntegerField, Case, Count, Exists, OuterRef, Q, QuerySet, Sum, TextField, Value, When
from django.db.models.functions import Cast, Collate
from django.utils import timezone as clock

from accounts.lib import quarters, timezones
from accounts.lib.money import ZERO
from accounts.models import Organization
from apikeys.models import ApiKey
from usage.models import EndpointRollup, EventVoid, ImportedUsage, RetiredPartition, UsageEvent, UsageRollup, Volume

ENDPOINTS_SHOWN = 1000
OTHER = "(other)"
NO_ENDPOINT = "(none)"

# An event that was taken back stays in its table, and counts in no figure.
VOIDED = EventVoid.objects.filter(
    account_id=OuterRef("account_id"),
    organization=OuterRef("organization_id"),
    event_id=OuterRef("id"),
    recorded_at=OuterRef("recorded_at"),
)


@dataclass(frozen=True)
class Totals:
    requests: int
    failed: int
    credits: Decimal

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(self.requests + other.requests, self.failed + other.failed, self.credits + other.credits)


NOTHING = Totals(0, 0, ZERO)


@dataclass(frozen=True)
class Span:
    """[start, end): `inner` is its whole quarters, `edges` what is left of it before and after them."""

    start: datetime
    end: datetime

    @property
    def inner(self) -> tuple[datetime, datetime]:
        last = quarters.floor(self.end)
        if self.start >= last:
            return self.end, self.end
        first = quarters.floor(self.start)
        return (first if first == self.start else first + quarters.QUARTER), last

    @property
    def edges(self) -> list[tuple[datetime, datetime]]:
        first, last = self.inner
        return [(start, end) for start, end in ((self.start, first), (last, self.end)) if start < end]


def span_of(start: datetime, end: datetime) -> Span:
    """[start, end), in which a moment from before the retention's horizon is moved to the start of its quarter."""
    inexact = [moment for moment in (start, end) if quarters.floor(moment) != moment]
    may_be_retired = inexact and min(inexact) < clock.now() - RetiredPartition.ALWAYS_KEPT
    if may_be_retired and (horizon := RetiredPartition.objects.horizon()):
        start, end = (quarters.floor(moment) if moment < horizon else moment for moment in (start, end))
    return Span(start, end)


def of(
    organization: Organization,
    start: datetime,
    end: datetime,
    environment: str = "live",
    key: ApiKey | None = None,
) -> Totals:
    """Requests, failures and credits in [start, end): of the organization and all beneath it, or of one key there."""
    span = span_of(start, end)
    rollups, edges = sources(UsageRollup, organization, span, environment)
    of_key = Q(key=key) if key else Q()
    before = _sum_rollups(imported(organization, span, environment).filter(of_key))
    return sum((_sum_events(events.filter(of_key)) for events in edges), _sum_rollups(rollups.filter(of_key)) + before)


def by_day(
    organization: Organization, start: datetime, end: datetime, timezone: str, environment: str = "live"
) -> dict[date, Totals]:
    """The totals of each day of `timezone` in [start, end), days without usage included; they add up to `of`.

    No bucket lies in two days: the offsets of all zones are whole quarters of an hour.
    """
    zone = timezones.zone(timezone)
    span = span_of(start, end)
    start, end = span.start, span.end
    first, last = start.astimezone(zone).date(), max(start, end - datetime.resolution).astimezone(zone).date()
    days = {first + timedelta(days=n): NOTHING for n in range((last - first).days + 1)}
    rollups, edges = sources(UsageRollup, organization, span, environment)
    for source in (rollups, imported(organization, span, environment)):
        sums = source.values_list("bucket").annotate(Sum("requests"), Sum("failed"), Sum("credits")).order_by()
        for bucket, requests, failed, credits in sums:
            days[bucket.astimezone(zone).date()] += Totals(int(requests), int(failed), credits)
    for (edge_start, _), events in zip(span.edges, edges, strict=True):
        days[edge_start.astimezone(zone).date()] += _sum_events(events)
    return days


def by_endpoint(
    organization: Organization, start: datetime, end: datetime, environment: str = "live"
) -> dict[str, int]:
    """Requests an endpoint in [start, end), most used first: 1,000 by name, the rest as `(other)`."""
    span = span_of(start, end)
    rollups, edges = sources(EndpointRollup, organization, span, environment)
    before = imported(organization, span, environment)
    at_edges: Counter[str] = Counter(dict(_of_endpoints(before, Sum("requests"))))
    for events in edges:
        at_edges.update(dict(_of_endpoints(events, Count("id"))))
    inside = _of_endpoints(rollups, Sum("requests"))
    most, others = Counter(dict(inside[: ENDPOINTS_SHOWN + 1])), 0
    if len(most) > ENDPOINTS_SHOWN:
        # An endpoint that is neither among these nor elsewhere can't be among the first 1,000 of the whole.
        most.update(dict(inside.filter(name__in=set(at_edges) - set(most))))
        others = rollups.aggregate(n=Sum("requests", default=0))["n"] - most.total()
    used = +(most + at_edges)  # `+` drops endpoints of which every event was taken back
    ranked = sorted(used.items(), key=lambda pair: (-pair[1], pair[0]))
    shown, rest = dict(ranked[:ENDPOINTS_SHOWN]), sum(n for _, n in ranked[ENDPOINTS_SHOWN:]) + int(others)
    return {**shown, OTHER: shown.get(OTHER, 0) + rest} if rest else shown


def by_meter(
    organization: Organization, start: datetime, end: datetime, environment: str = "live"
) -> dict[str, Decimal]:
    """The quantity of each meter that was used in [start, end)."""
    span = span_of(start, end)
    rollups, edges = sources(UsageRollup, organization, span, environment)
    quantities: dict[str, Decimal] = {}
    for source in (rollups, imported(organization, span, environment), *edges):
        for meter, quantity in source.values_list("meter__slug").annotate(n=Sum("quantity")).order_by():
            quantities[meter] = quantities.get(meter, ZERO) + quantity
    return quantities


def requests_all_time(organization: Organization) -> int:
    """Live requests ever: of a payer from its few volumes, of a child from the rollups."""
    rollups = UsageRollup.objects.within(organization).filter(environment="live")
    counted: QuerySet[Any] = Volume.objects.filter(account_id=organization.pk) if organization.is_root else rollups
    before = ImportedUsage.objects.within(organization).filter(environment="live")
    return sum(int(rows.aggregate(n=Sum("requests", default=0))["n"]) for rows in (counted, before))


def imported(organization: Organization, span: Span, environment: str) -> QuerySet[ImportedUsage]:
    """What was used in the span, as another system counted it."""
    rows = ImportedUsage.objects.within(organization)
    return rows.filter(environment=environment, bucket__gte=span.start, bucket__lt=span.end)


def sources(
    rollup: type[UsageRollup] | type[EndpointRollup], organization: Organization, span: Span, environment: str
) -> tuple[QuerySet[Any], list[QuerySet[Any]]]:
    """The rollups of the span's whole quarters, and the events of each edge.

    Each edge is a query of its own: for two ranges in one query, PostgreSQL would look through every organization.
    """
    first, last = span.inner
    rollups = rollup.objects.within(organization).filter(environment=environment, bucket__gte=first, bucket__lt=last)
    events = UsageEvent.objects.within(organization).filter(~Exists(VOIDED), environment=environment)
    return rollups, [events.filter(_occurred(*edge)) for edge in span.edges]


def _occurred(start: datetime, end: datetime) -> Q:
    """In [start, end). No event arrives before it occurs, so PostgreSQL can leave out the leaves of earlier months."""
    return Q(occurred_at__gte=start, occurred_at__lt=end, recorded_at__gte=start)


def _sum_rollups(rollups: QuerySet[Any]) -> Totals:
    sums = rollups.aggregate(
        requests=Sum("requests", default=0), failed=Sum("failed", default=0), credits=Sum("credits", default=ZERO)
    )
    return Totals(int(sums["requests"]), int(sums["failed"]), sums["credits"])


def _sum_events(events: QuerySet[Any]) -> Totals:
    sums = events.aggregate(
        requests=Count("id"), failed=Count("id", filter=Q(failed=True)), credits=Sum("credits", default=ZERO)
    )
    return Totals(sums["requests"], sums["failed"], sums["credits"])


def _of_endpoints(source: QuerySet[Any], requests: Sum | Count) -> QuerySet[Any, Any]:
    """Endpoints by name and their requests: most used first, then by code point."""
    name = Case(When(endpoint="", then=Value(NO_ENDPOINT)), default="endpoint", output_field=TextField())
    named = source.annotate(name=name).values_list("name").annotate(n=Cast(requests, BigIntegerField()))
    ranked: QuerySet[Any, Any] = named.order_by("-n", Collate("name", "C"))
    return ranked
