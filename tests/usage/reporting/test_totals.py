"""Reports are exact for any moments, whether the rollups or the events answer."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib import quarters
from accounts.models import Organization
from tests import factories
from tests.properties import search
from tests.usage.metering.batches import event, record
from usage.reporting import totals
from usage.reporting.totals import Span, Totals

START = datetime(2015, 5, 17, 10, tzinfo=UTC)
EVER = (datetime(1, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))

moments = st.integers(-200_000, 10_000_000_000).map(lambda micro: START + timedelta(microseconds=micro))
# Also on and beside the borders of the buckets, where a range is most easily wrong by one.
borders = st.tuples(st.integers(-1, 12), st.integers(-1, 1)).map(
    lambda pair: START + pair[0] * quarters.QUARTER + timedelta(microseconds=pair[1])
)
# Offsets of 30 and 45 minutes; daylight saving of half an hour, and at midnight; a day that was left out.
ZONES = ["Asia/Kathmandu", "America/St_Johns", "Australia/Lord_Howe", "America/Havana", "Africa/Cairo", "Pacific/Apia"]
ODD_DAYS = [date(2011, 12, 30), date(2024, 3, 10), date(2024, 4, 7), date(2024, 4, 26), date(2024, 10, 6)]
times = st.lists(moments | borders, min_size=1, max_size=15)


def send(organization: Organization, when: list[datetime]) -> None:
    """An event at each moment; every third failed, one endpoint in two, each of another quantity."""
    record(
        *(
            event(
                organization,
                occurred_at=at.isoformat(),
                quantity=n,
                status=200 + 300 * (n % 3 == 0),
                endpoint=f"/{n % 2}",
            )
            for n, at in enumerate(when)
        )
    )


def totals_by_hand(when: list[datetime], start: datetime, end: datetime) -> Totals:
    inside = [n for n, at in enumerate(when) if start <= at < end]
    return Totals(len(inside), sum(n % 3 == 0 for n in inside), sum(inside) * Decimal("0.001"))


def endpoints_by_hand(when: list[datetime], start: datetime, end: datetime) -> dict[str, int]:
    inside = [n % 2 for n, at in enumerate(when) if start <= at < end]
    return {f"/{n}": inside.count(n) for n in (0, 1) if n in inside}


@search(25)
@given(when=times, spans=st.lists(st.tuples(moments | borders, moments | borders).map(sorted), min_size=3, max_size=3))
def test_between_any_two_moments_the_figures_are_a_count_of_the_events(
    db: None, when: list[datetime], spans: list[list[datetime]]
) -> None:
    organization = factories.organization()
    send(organization, when)
    for start, end in spans:
        assert totals.of(organization, start, end) == totals_by_hand(when, start, end)
        assert totals.by_endpoint(organization, start, end) == endpoints_by_hand(when, start, end)


@given(st.tuples(moments | borders, moments | borders).map(sorted))
def test_a_range_is_its_inner_buckets_and_its_edges(bounds: list[datetime]) -> None:
    start, end = bounds
    span = Span(start, end)
    pieces = sorted(piece for piece in [*span.edges, span.inner] if piece[0] < piece[1])
    assert [*(a for a, _ in pieces), end] == [start, *(b for _, b in pieces)]
    assert span.inner == (end, end) or not any((moment - quarters.EPOCH) % quarters.QUARTER for moment in span.inner)


@search(20)
@given(
    zone=st.sampled_from([ZoneInfo(name) for name in ZONES]),
    day=st.dates(date(2010, 1, 1), date(2025, 12, 31)) | st.sampled_from(ODD_DAYS),
    numbers=st.lists(st.integers(-10, 120), min_size=1, max_size=15),
)
def test_a_day_anywhere_has_the_events_that_its_clocks_give_it(
    db: None, zone: ZoneInfo, day: date, numbers: list[int]
) -> None:
    """Also where it has 23 or 25 hours, begins at one o'clock, or is left out."""
    start, end = (datetime.combine(d, time(), zone).astimezone(UTC) for d in (day, day + timedelta(days=1)))
    when = [start + n * quarters.QUARTER for n in numbers]
    organization = factories.organization()
    send(organization, when)
    used = totals.of(organization, start, end)
    assert used.requests == sum(at.astimezone(zone).date() == day for at in when)


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "1999-12-31T23:50:00Z"])
def test_events_before_the_epoch_of_the_buckets_are_found(organization: Organization, when: str) -> None:
    at = datetime.fromisoformat(when)
    record(event(organization, occurred_at=when))
    assert totals.of(organization, at, at + timedelta(days=1)).requests == 1
    assert totals.of(organization, at + timedelta(microseconds=1), at + timedelta(days=1)).requests == 0
    assert totals.of(organization, *EVER).requests == 1


def test_a_range_of_nothing_is_empty(organization: Organization) -> None:
    send(organization, [START])
    assert totals.of(organization, START, START) == Totals(0, 0, Decimal(0))
    assert totals.by_endpoint(organization, START, START) == {}


def test_a_report_is_of_the_organization_and_all_beneath_it(organization: Organization, charlie: Any) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    sibling = Organization.objects.create_child(organization, name="Sibling")
    for owner in (organization, child, sibling, charlie.current_organization):
        record(event(owner, endpoint="/a"))
    assert totals.of(organization, *EVER).requests == totals.requests_all_time(organization) == 3
    assert totals.of(child, *EVER).requests == totals.requests_all_time(child) == 1
    assert totals.by_endpoint(organization, *EVER) == {"/a": 3}


def test_an_environment_is_reported_by_itself(organization: Organization) -> None:
    key, _ = factories.key(organization, environment="test")
    record(event(organization, endpoint="/live"), event(key, endpoint="/test"))
    assert totals.by_endpoint(organization, *EVER) == {"/live": 1}
    assert totals.by_endpoint(organization, *EVER, "test") == {"/test": 1}
    assert totals.requests_all_time(organization) == 1


def test_endpoints_come_most_used_first_and_then_by_name(organization: Organization) -> None:
    for endpoint, minute in (("/c", 1), ("/b", 1), ("/x", 1), ("/x", 16), ("/a", 16)):
        record(event(organization, endpoint=endpoint, occurred_at=(START + timedelta(minutes=minute)).isoformat()))
    counts = totals.by_endpoint(organization, START, START + timedelta(minutes=20))
    assert list(counts.items()) == [("/x", 2), ("/a", 1), ("/b", 1), ("/c", 1)]


def many_endpoints(organization: Organization, how_many: int) -> None:
    """One request each, but two of the first endpoint."""
    sent = [event(organization, endpoint=f"/{n:04}") for n in range(how_many)]
    record(event(organization, endpoint="/0000"), *sent)


def test_a_thousand_endpoints_are_named(organization: Organization) -> None:
    many_endpoints(organization, 1000)
    counts = totals.by_endpoint(organization, *EVER)
    assert len(counts) == 1000
    assert totals.OTHER not in counts


def test_the_endpoints_beyond_a_thousand_are_one(organization: Organization) -> None:
    many_endpoints(organization, 1003)
    counts = totals.by_endpoint(organization, *EVER)
    assert len(counts) == 1001
    assert (counts["/0000"], counts["/0999"], counts[totals.OTHER]) == (2, 1, 3)
    assert sum(counts.values()) == totals.of(organization, *EVER).requests


uses = st.lists(st.tuples(st.sampled_from(["", "/a", "/b", "/B", "/é", "/c"]), st.integers(0, 40)), max_size=25)


@search(30)
@given(uses=uses, shown=st.integers(1, 4), cut=st.tuples(st.integers(0, 20), st.integers(20, 41)))
def test_the_ranking_counts_the_edges_wherever_it_is_cut(
    db: None, uses: list[tuple[str, int]], shown: int, cut: tuple[int, int]
) -> None:
    organization = factories.organization()
    record(
        *(
            event(organization, endpoint=endpoint, occurred_at=(START + timedelta(minutes=minute)).isoformat())
            for endpoint, minute in uses
        )
    )
    counts = Counter(endpoint or totals.NO_ENDPOINT for endpoint, minute in uses if cut[0] <= minute < cut[1])
    ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))
    rest = sum(n for _, n in ranked[shown:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(totals, "ENDPOINTS_SHOWN", shown)
        first, last = (START + timedelta(minutes=minute) for minute in cut)
        by_endpoint = totals.by_endpoint(organization, first, last)
    assert list(by_endpoint.items()) == ranked[:shown] + ([(totals.OTHER, rest)] if rest else [])


def test_events_without_an_endpoint_are_one(organization: Organization) -> None:
    record(event(organization), event(organization, endpoint=None), event(organization, endpoint="/a"))
    assert totals.by_endpoint(organization, *EVER) == {totals.NO_ENDPOINT: 2, "/a": 1}


@pytest.mark.parametrize("name", [totals.NO_ENDPOINT, totals.OTHER])
def test_an_endpoint_of_a_name_that_means_something_else_loses_nothing(organization: Organization, name: str) -> None:
    many_endpoints(organization, 1003)
    record(*(event(organization, endpoint=endpoint) for endpoint in ["", "", name, name, name]))
    assert sum(totals.by_endpoint(organization, *EVER).values()) == totals.of(organization, *EVER).requests
