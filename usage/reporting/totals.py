"""What was used between two moments, exactly: whole quarters of an hour from the rollups, the edges from the events.

Where events were retired there are no edges: a moment then is the start of its quarter of an hour.
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
from usage.models import EndpointRollup, EventVoid, RetiredPartition, UsageEvent, UsageRollup, Volume

ENDPOINTS_SHOWN = 1000
OTHER = "(other)"
NO_ENDPOINT = "(none)"

# An event that was taken back stays where it is, and counts in no figure.
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
class Range:
    """[start, end), as `inner` whole buckets and the `edges` around them."""

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
        return [(a, b) for a, b in ((self.start, first), (last, self.end)) if a < b]


def span_of(start: datetime, end: datetime) -> Range:
    """[start, end), of which each that lies where events were retired goes back to the start of its quarter."""
    aside = [moment for moment in (start, end) if quarters.floor(moment) != moment]
    if (
        aside
        and min(aside) < clock.now() - RetiredPartition.ALWAYS_KEPT
        and (horizon := RetiredPartition.objects.horizon())
    ):
        start, end = (quarters.floor(moment) if moment < horizon else moment for moment in (start, end))
    return Range(start, end)


def totals(
    organization: Organization,
    start: datetime,
    end: datetime,
    environment: str = "live",
    key: ApiKey | None = None,
) -> Totals:
    """Requests, failures and credits of an organization and all beneath it, or of one key there."""
    inner, edges = rows(UsageRollup, organization, span_of(start, end), environment)
    of_key = Q(key=key) if key else Q()
    return sum((_sum_events(edge.filter(of_key)) for edge in edges), _sum_rollups(inner.filter(of_key)))


def by_day(
    organization: Organization, start: datetime, end: datetime, timezone: str, environment: str = "live"
) -> dict[date, Totals]:
    """The totals of each day of `timezone` in the range, idle days too; they add up to `totals`.

    No bucket lies in two days: the zones' offsets are whole quarters of an hour.
    """
    zone = timezones.zone(timezone)
    span = span_of(start, end)
    start, end = span.start, span.end
    first, last = start.astimezone(zone).date(), max(start, end - datetime.resolution).astimezone(zone).date()
    days = {first + timedelta(days=n): NOTHING for n in range((last - first).days + 1)}
    inner, _ = rows(UsageRollup, organization, span, environment)
    sums = inner.values_list("bucket").annotate(Sum("requests"), Sum("failed"), Sum("credits")).order_by()
    for bucket, requests, failed, credits in sums:
        days[bucket.astimezone(zone).date()] += Totals(int(requests), int(failed), credits)
    for edge_start, edge_end in span.edges:
        days[edge_start.astimezone(zone).date()] += totals(organization, edge_start, edge_end, environment)
    return days


def rows(
    rollup: type[UsageRollup] | type[EndpointRollup], organization: Organization, span: Range, environment: str
) -> tuple[QuerySet[Any], list[QuerySet[Any]]]:
    """The rollups of the whole quarters, and the events of each edge.

    An edge is a query of its own: two ranges in one would be looked for in every organization there is.
    """
    first, last = span.inner
    inner = rollup.objects.within(organization).filter(environment=environment, bucket__gte=first, bucket__lt=last)
    events = UsageEvent.objects.within(organization).filter(~Exists(VOIDED), environment=environment)
    return inner, [events.filter(_occurred(*edge)) for edge in span.edges]


def _occurred(start: datetime, end: datetime) -> Q:
    """In [start, end). No event arrives before it occurs, so the leaves of earlier months are left out."""
    return Q(occurred_at__gte=start, occurred_at__lt=end, recorded_at__gte=start)


def _sum_rollups(buckets: QuerySet[Any]) -> Totals:
    found = buckets.aggregate(
        requests=Sum("requests", default=0), failed=Sum("failed", default=0), credits=Sum("credits", default=ZERO)
    )
    return Totals(int(found["requests"]), int(found["failed"]), found["credits"])


def _sum_events(events: QuerySet[Any]) -> Totals:
    found = events.aggregate(
        requests=Count("id"), failed=Count("id", filter=Q(failed=True)), credits=Sum("credits", default=ZERO)
    )
    return Totals(found["requests"], found["failed"], found["credits"])


def by_endpoint(
    organization: Organization, start: datetime, end: datetime, environment: str = "live"
) -> dict[str, int]:
    """Requests an endpoint, most used first: 1,000 by name, the rest under `(other)`."""
    inner, edges = rows(EndpointRollup, organization, span_of(start, end), environment)
    at_edges: Counter[str] = Counter()
    for edge in edges:
        at_edges.update(dict(_of_endpoints(edge, Count("id"))))
    inside = _of_endpoints(inner, Sum("requests"))
    most, others = Counter(dict(inside[: ENDPOINTS_SHOWN + 1])), 0
    if len(most) > ENDPOINTS_SHOWN:
        # What is neither among the first of them nor at the edges can't be among the first of all.
        most.update(dict(inside.filter(name__in=set(at_edges) - set(most))))
        others = inner.aggregate(n=Sum("requests", default=0))["n"] - most.total()
    ranked = sorted((+(most + at_edges)).items(), key=lambda pair: (-pair[1], pair[0]))  # not what was taken back
    named, rest = dict(ranked[:ENDPOINTS_SHOWN]), sum(n for _, n in ranked[ENDPOINTS_SHOWN:]) + int(others)
    return {**named, OTHER: named.get(OTHER, 0) + rest} if rest else named


def _of_endpoints(part: QuerySet[Any], requests: Sum | Count) -> QuerySet[Any, Any]:
    """Endpoints by name and their requests: most used first, then in the order of the names' characters."""
    name = Case(When(endpoint="", then=Value(NO_ENDPOINT)), default="endpoint", output_field=TextField())
    named = part.annotate(name=name).values_list("name").annotate(n=Cast(requests, BigIntegerField()))
    ranked: QuerySet[Any, Any] = named.order_by("-n", Collate("name", "C"))
    return ranked


def by_meter(
    organization: Organization, start: datetime, end: datetime, environment: str = "live"
) -> dict[str, Decimal]:
    """The quantity of each meter that was used."""
    inner, edges = rows(UsageRollup, organization, span_of(start, end), environment)
    quantities: dict[str, Decimal] = {}
    for part in (inner, *edges):
        for meter, quantity in part.values_list("meter__slug").annotate(n=Sum("quantity")).order_by():
            quantities[meter] = quantities.get(meter, ZERO) + quantity
    return quantities


def requests_all_time(organization: Organization) -> int:
    """Live requests ever: of a payer from its few volumes, of what is beneath one from the rollups."""
    rollups = UsageRollup.objects.within(organization).filter(environment="live")
    ever: QuerySet[Any] = Volume.objects.filter(account_id=organization.pk) if organization.is_root else rollups
    return int(ever.aggregate(n=Sum("requests", default=0))["n"])
