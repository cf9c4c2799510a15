"""Usage over time adds up to a count of the events, in any windows, whether rollups or events answer."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st

from accounts.models import Organization
from billing.models import Meter
from tests import factories
from tests.properties import search
from tests.usage.metering.batches import event, record
from usage.models import EndpointRollup, EventVoid, UsageEvent
from usage.reporting import calendar, timeseries, totals
from usage.reporting.timeseries import Point, Query

START = datetime(2015, 5, 17, 10, tzinfo=UTC)
ZONES = [
    "UTC",
    "Asia/Kathmandu",
    "America/Havana",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Pacific/Apia",
    "Europe/Paris",
]
ODD_DAYS = [date(2011, 12, 30), date(2024, 3, 10), date(2024, 4, 7), date(2024, 4, 26), date(2024, 11, 3)]

zones = st.sampled_from(ZONES)
days = st.dates(date(2010, 1, 1), date(2025, 12, 31)) | st.sampled_from(ODD_DAYS)
micros = st.integers(0, 3 * 86_400_000_000)
quarters = st.integers(0, 3 * 96).map(lambda n: n * 900_000_000)
offsets = micros | quarters  # of a moment from the start of a day


def ask(organization: Organization, start: datetime, end: datetime, window: str = "day", **more: Any) -> list[Point]:
    return timeseries.run(Query(organization, start, end, window, **{"timezone": "UTC", **more}))


def used(points: list[Point]) -> dict[tuple[str | None, ...], int]:
    """Requests by group, over all windows."""
    counts: Counter[tuple[str | None, ...]] = Counter()
    for point in points:
        counts[point.names] += point.sums.requests
    return dict(counts)


def local(*when: int, zone: str, fold: int = 0) -> datetime:
    return datetime(*when, tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)  # type: ignore[arg-type,misc]


@search(40)
@given(zone=zones, day=days, window=st.sampled_from(calendar.WINDOWS), span=st.tuples(offsets, offsets).map(sorted))
def test_windows_divide_the_range_by_the_clocks(zone: str, day: date, window: str, span: list[int]) -> None:
    """Within a window the clocks show one hour, day or month; from one to the next they show another, or are set."""
    start, end = (datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(microseconds=n) for n in span)
    bounds = calendar.bounds(start, end, window, zone)
    assert bounds == sorted(set(bounds))
    assert bounds[:1] + bounds[-1:] == ([start, end] if start < end else [])
    size = {"hour": 13, "day": 10, "month": 7}[window]
    shown = [
        [moment.astimezone(ZoneInfo(zone)) for moment in (begins, ends - datetime.resolution)]
        for begins, ends in pairwise(bounds)
    ]
    assert all(first.isoformat()[:size] == last.isoformat()[:size] for first, last in shown)
    for (_, last), (following, _) in pairwise(shown):
        assert (following.isoformat()[:size], following.utcoffset()) != (last.isoformat()[:size], last.utcoffset())


@search(25)
@given(
    zone=zones,
    day=days,
    window=st.sampled_from(["hour", "day"]),
    when=st.lists(offsets, min_size=1, max_size=12),
    span=st.tuples(offsets, offsets).map(sorted),
)
def test_each_window_has_the_events_that_occurred_in_it(
    db: None, zone: str, day: date, window: str, when: list[int], span: list[int]
) -> None:
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    start, end, *moments = (midnight + timedelta(microseconds=n) for n in (*span, *when))
    organization = factories.organization()
    record(*(event(organization, occurred_at=at.isoformat(), status=500 * (at > end) or 200) for at in moments))
    points = ask(organization, start, end, window, timezone=zone)
    assert [point.sums.requests for point in points] == [
        sum(point.start <= at < point.end for at in moments) for point in points
    ]
    assert sum((point.sums.requests for point in points), 0) == totals.of(organization, start, end).requests


def test_a_day_of_spring_has_23_hours_and_one_of_autumn_25() -> None:
    for day, hours in ((date(2024, 3, 31), 23), (date(2024, 10, 27), 25), (date(2024, 6, 1), 24)):
        start = local(day.year, day.month, day.day, zone="Europe/Paris")
        end = local(day.year, day.month, day.day + 1, zone="Europe/Paris") if day.day < 31 else None
        end = end or local(2024, 4, 1, zone="Europe/Paris")
        assert len(calendar.bounds(start, end, "hour", "Europe/Paris")) == hours + 1


def test_an_hour_that_the_clocks_repeat_is_two_windows(organization: Organization) -> None:
    first, again = (local(2024, 11, 3, 1, zone="America/New_York", fold=fold) for fold in (0, 1))
    record(event(organization, occurred_at=first.isoformat()), event(organization, occurred_at=again.isoformat()))
    points = ask(organization, first, again + timedelta(hours=1), "hour", timezone="America/New_York")
    assert [point.sums.requests for point in points] == [1, 1]


def test_a_day_begins_when_the_clocks_skip_its_midnight(organization: Organization) -> None:
    """In Havana, 10 March 2024 began at one o'clock."""
    skipped = datetime(2024, 3, 10, 5, tzinfo=UTC)
    assert skipped in calendar.bounds(skipped - timedelta(days=1), skipped + timedelta(days=1), "day", "America/Havana")


def test_a_day_that_was_left_out_is_no_window() -> None:
    """Samoa had no 30 December 2011."""
    start, end = local(2011, 12, 29, zone="Pacific/Apia"), local(2012, 1, 1, zone="Pacific/Apia")
    assert len(calendar.bounds(start, end, "day", "Pacific/Apia")) == 2 + 1


def test_a_month_is_the_calendars_there(organization: Organization) -> None:
    """Kathmandu's July began at 18:15 of 30 June in UTC."""
    for second in ("18:14:59", "18:15:00"):
        record(event(organization, occurred_at=f"2016-06-30T{second}Z"))
    start, end = datetime(2016, 6, 15, tzinfo=UTC), datetime(2016, 7, 15, tzinfo=UTC)
    points = ask(organization, start, end, "month", timezone="Asia/Kathmandu")
    july = datetime(2016, 6, 30, 18, 15, tzinfo=UTC)
    assert [(point.start, point.end, point.sums.requests) for point in points] == [(start, july, 1), (july, end, 1)]


def test_where_an_offset_is_no_whole_quarter_a_window_says_what_it_holds(organization: Organization) -> None:
    """Monrovia was 44 minutes and 30 seconds behind Greenwich until 1972: its hours began within a bucket."""
    start, end = datetime(1936, 1, 1, 10, tzinfo=UTC), datetime(1936, 1, 1, 12, tzinfo=UTC)
    moments = [start + timedelta(minutes=n) for n in range(120)]
    record(*(event(organization, occurred_at=at.isoformat()) for at in moments))
    points = ask(organization, start, end, "hour", timezone="Africa/Monrovia")
    assert [point.sums.requests for point in points] == [
        sum(point.start <= at < point.end for at in moments) for point in points
    ]


def test_idle_windows_are_there_when_nothing_is_grouped(organization: Organization) -> None:
    record(event(organization, occurred_at=START.isoformat()))
    points = ask(organization, START, START + timedelta(hours=3), "hour")
    assert [point.sums.requests for point in points] == [1, 0, 0]


def test_grouped_only_what_was_used_is_there(organization: Organization) -> None:
    record(event(organization, occurred_at=START.isoformat()))
    points = ask(organization, START, START + timedelta(hours=3), "hour", group_by=("meter",))
    assert [(point.start, point.names) for point in points] == [(START, ("requests",))]


def test_an_empty_range_has_no_window(organization: Organization) -> None:
    assert ask(organization, START, START) == []


def test_the_sums_are_of_requests_failures_quantities_and_credits(organization: Organization) -> None:
    """Of an edge and of a whole quarter alike."""
    for at in (START, START + timedelta(minutes=16)):
        record(
            event(organization, occurred_at=at.isoformat(), quantity="2.5"),
            event(organization, occurred_at=at.isoformat(), status=500),
        )
    (point,) = ask(organization, START, START + timedelta(minutes=17))
    assert point.sums == timeseries.Sums(4, 2, Decimal(7), Decimal("0.007"))


@pytest.mark.parametrize("minutes", [7, 15, 30, 52])
def test_usage_is_grouped_by_meter_endpoint_key_and_organization(organization: Organization, minutes: int) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    key, _ = factories.key(child)
    at = START.isoformat()
    record(
        event(organization, occurred_at=at, endpoint="/a"),
        event(organization, occurred_at=at, meter="sms"),
        event(key, occurred_at=at, meter="sms", endpoint="/a"),
        event(key, occurred_at=at, meter="sms", endpoint="/a"),
    )

    def by(*group_by: str) -> dict[tuple[str | None, ...], int]:
        return used(ask(organization, START, START + timedelta(minutes=minutes), group_by=group_by))

    assert by("meter") == {("requests",): 1, ("sms",): 3}
    assert by("endpoint") == {("/a",): 3, ("(none)",): 1}
    assert by("key") == {(None,): 2, (key.public_id,): 2}
    assert by("organization") == {(organization.public_id,): 2, (child.public_id,): 2}
    assert by("meter", "endpoint", "key", "organization") == {
        ("requests", "/a", None, organization.public_id): 1,
        ("sms", "(none)", None, organization.public_id): 1,
        ("sms", "/a", key.public_id, child.public_id): 2,
    }


@pytest.mark.parametrize("minutes", [7, 15])
@pytest.mark.parametrize(
    ("filter", "requests"), [("meter", 2), ("key", 1), ("endpoint", 2), ("(none)", 1), ("everything", 0)]
)
def test_usage_is_filtered(organization: Organization, minutes: int, filter: str, requests: int) -> None:
    key, _ = factories.key(organization)
    at = START.isoformat()
    record(
        event(key, occurred_at=at, endpoint="/a"),
        event(organization, occurred_at=at, meter="sms", endpoint="/a"),
        event(organization, occurred_at=at, meter="sms"),
    )
    sms = Meter.objects.get(slug="sms")
    filters: dict[str, Any] = {
        "meter": {"meter": sms},
        "key": {"key": key},
        "endpoint": {"endpoint": "/a"},
        "(none)": {"endpoint": "(none)"},
        "everything": {"meter": sms, "key": key, "endpoint": "/a"},
    }
    points = ask(organization, START, START + timedelta(minutes=minutes), **filters[filter])
    assert sum(point.sums.requests for point in points) == requests


def test_rows_come_by_time_and_then_by_group(organization: Organization) -> None:
    for hour, endpoint in ((1, "/a"), (0, "/b"), (0, "/a")):
        record(event(organization, endpoint=endpoint, occurred_at=(START + timedelta(hours=hour)).isoformat()))
    points = ask(organization, START, START + timedelta(hours=2), "hour", group_by=("endpoint",))
    assert [(point.start.hour, *point.names) for point in points] == [(10, "/a"), (10, "/b"), (11, "/a")]


def test_an_environment_is_by_itself(organization: Organization) -> None:
    key, _ = factories.key(organization, environment="test")
    record(event(key, occurred_at=START.isoformat()))
    span = (START, START + timedelta(hours=1))
    assert used(ask(organization, *span)) == {(): 0}
    assert used(ask(organization, *span, environment="test")) == {(): 1}


def test_the_largest_number_of_windows_is_allowed() -> None:
    assert len(calendar.bounds(START, START + timedelta(hours=calendar.MOST), "hour", "UTC")) == calendar.MOST + 1


def test_one_window_more_is_too_many() -> None:
    end = START + timedelta(hours=calendar.MOST, microseconds=1)
    with pytest.raises(calendar.TooManyWindows):
        calendar.bounds(START, end, "hour", "UTC")


def test_the_calendar_ends_where_python_ends_it() -> None:
    last = datetime.max.replace(tzinfo=UTC)
    assert len(calendar.bounds(last - timedelta(hours=1), last, "hour", "UTC")) == 3
    assert len(calendar.bounds(last - timedelta(hours=1), last, "month", "UTC")) == 2


@pytest.mark.parametrize("minutes", [7, 15])
def test_one_row_more_is_too_many(organization: Organization, monkeypatch: pytest.MonkeyPatch, minutes: int) -> None:
    monkeypatch.setattr(timeseries, "MOST_POINTS", 2)
    span = (START, START + timedelta(minutes=minutes))
    for n in range(2):
        record(event(organization, endpoint=f"/{n}", occurred_at=START.isoformat()))
    assert len(ask(organization, *span, group_by=("endpoint",))) == 2
    record(event(organization, endpoint="/2", occurred_at=START.isoformat()))
    with pytest.raises(timeseries.TooManyPoints):
        ask(organization, *span, group_by=("endpoint",))


def test_whole_quarters_are_answered_without_an_event(organization: Organization) -> None:
    with CaptureQueriesContext(connection) as queries:
        ask(organization, START, START + timedelta(days=9), "hour", group_by=("meter",))
    assert not any("usage_event" in query["sql"] for query in queries.captured_queries)


def test_edges_are_sought_in_the_leaves_of_their_month_and_after(organization: Organization) -> None:
    """An event may arrive at the moment at which it occurred, or any time later."""
    arrived = datetime.now(UTC).replace(minute=10)
    for minutes_before in (0, 3 * 24 * 60):
        occurred = arrived - timedelta(minutes=minutes_before)
        record(event(organization, occurred_at=occurred.isoformat()), at=arrived)
        (point,) = ask(organization, occurred, occurred + timedelta(microseconds=1))
        assert point.sums.requests == 1


def test_an_event_that_was_taken_back_counts_in_no_edge(organization: Organization, charlie: Any) -> None:
    """Another's of the same id counts on."""
    for owner in (organization, charlie.current_organization):
        record(event(owner, id="e", occurred_at=START.isoformat()))
    kept = event(organization, occurred_at=START.isoformat())
    record(kept)
    taken_back = UsageEvent.objects.of(organization).get(id="e")
    EventVoid.objects.create(
        account_id=organization.root_id,
        organization=organization,
        event_id="e",
        recorded_at=taken_back.recorded_at,
        created_at=taken_back.recorded_at,
    )
    span = (START, START + timedelta(minutes=1))
    assert used(ask(organization, *span)) == {(): 1}
    assert used(ask(charlie.current_organization, *span)) == {(): 1}
    assert totals.by_endpoint(organization, *span) == {"(none)": 1}


def test_where_all_was_taken_back_nothing_was_used(organization: Organization) -> None:
    record(event(organization, endpoint="/a", occurred_at=START.isoformat()))
    EndpointRollup.objects.of(organization).update(requests=0, quantity=0, credits=0)
    span = (START, START + timedelta(hours=1))
    assert ask(organization, *span, group_by=("endpoint",)) == []
    assert totals.by_endpoint(organization, *span) == {}
