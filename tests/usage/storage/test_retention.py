"""Retention: old leaves are marked, then detached beside readers and writers; the rollups stay, and are the truth."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Event
from typing import Any

import pytest
import time_machine
from django.conf import settings as django_settings
from django.db import Error, OperationalError, connection, transaction
from django.utils import timezone

from accounts.lib import months, quarters
from accounts.models import Organization
from tests import factories
from tests.concurrency import race
from tests.usage.metering.batches import balance, event, outcomes, record
from usage import tasks
from usage.metering import voids
from usage.models import RetiredPartition, UsageEvent
from usage.reporting import timeseries, totals
from usage.reporting.timeseries import Query
from usage.storage import partitions, rebuild, reconciliation, retention

JANUARY, FEBRUARY, MARCH, APRIL = (date(2020, month, 1) for month in range(1, 5))
MADE = [f"usage_event_2020_0{n}" for n in range(1, 5)]
ARRIVED = datetime(2020, 1, 20, 10, 7, tzinfo=UTC)
IN_APRIL = datetime(2020, 4, 15, tzinfo=UTC)  # two months before it: February
LATER = IN_APRIL + retention.GRACE
WAITING = """
SELECT pid FROM pg_stat_activity
 WHERE datname = current_database() AND query LIKE 'ALTER TABLE usage_event DETACH%%' AND wait_event_type = 'Lock'
"""
PLAIN = "ALTER TABLE usage_event DETACH PARTITION usage_event_2020_01"


def rows(sql: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0] if len(row) == 1 else row for row in cursor.fetchall()] if cursor.description else []


def marked() -> list[date]:
    return list(RetiredPartition.objects.order_by("month").values_list("month", flat=True))


@pytest.fixture
def two_months(settings: Any) -> None:
    settings.USAGE_RETENTION_MONTHS = 2


@pytest.fixture
def leaves(db: None, two_months: None) -> None:
    partitions.ensure(ARRIVED)


@pytest.fixture
def retired(leaves: None, organization: Organization) -> Organization:
    """Alice's organization used something at 10:07 of a day whose events are gone."""
    with time_machine.travel(ARRIVED, tick=False):
        factories.credit(organization, 100)
        record(event(organization, id="x", quantity=5, endpoint="/a"))
    retention.retire(IN_APRIL)
    rows(PLAIN)
    return organization


@pytest.mark.parametrize("months", [2, 3])
@pytest.mark.parametrize(
    ("now", "first_kept"),
    [
        (datetime(2020, 4, 1, tzinfo=UTC), {2: FEBRUARY, 3: JANUARY}),
        (datetime(2020, 3, 31, 23, 59, 59, tzinfo=UTC), {2: JANUARY, 3: JANUARY}),
        (datetime(2020, 4, 30, 23, 59, 59, tzinfo=UTC), {2: FEBRUARY, 3: JANUARY}),
        (datetime(2021, 1, 1, tzinfo=UTC), {2: date(2020, 11, 1), 3: date(2020, 10, 1)}),
    ],
)
def test_months_that_are_wholly_older_are_marked(
    leaves: None, settings: Any, months: int, now: datetime, first_kept: dict[int, date]
) -> None:
    settings.USAGE_RETENTION_MONTHS = months
    assert retention.retire(now) == []
    assert marked() == [month for month in (JANUARY, FEBRUARY, MARCH, APRIL) if month < first_kept[months]]


def test_without_a_retention_nothing_is_marked(leaves: None, settings: Any) -> None:
    settings.USAGE_RETENTION_MONTHS = 0
    assert (retention.retire(datetime(2030, 1, 1, tzinfo=UTC)), marked()) == ([], [])


def test_it_is_off_by_default_and_looked_after_every_hour(db: None) -> None:
    assert django_settings.USAGE_RETENTION_MONTHS == 0
    scheduled: dict[Any, Any] = {
        task["task"]: task["schedule"] for task in django_settings.CELERY_BEAT_SCHEDULE.values()
    }
    assert len(scheduled[tasks.retire_partitions.name].hour) == 24
    assert tasks.retire_partitions() == []


@pytest.mark.parametrize(
    ("months_kept", "starts"), [("0", True), ("1", False), ("2", True), ("-3", False), ("1201", False)]
)
def test_a_retention_that_would_count_an_id_twice_is_refused(months_kept: str, starts: bool) -> None:
    command = [sys.executable, "-c", "import config.settings"]
    environment = os.environ | {"USAGE_RETENTION_MONTHS": months_kept}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) is starts
    assert starts or f"USAGE_RETENTION_MONTHS is {months_kept}" in done.stderr


def test_what_is_kept_always_covers_the_window_of_duplicates(settings: Any) -> None:
    settings.USAGE_RETENTION_MONTHS = 2
    for day in range(0, 366 * 4):
        now = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=day)
        oldest = months.midnight(retention._oldest_kept(now))
        assert oldest <= now - RetiredPartition.ALWAYS_KEPT <= now - timedelta(days=35)


def test_the_horizon_is_the_end_of_the_last_retired_month(leaves: None) -> None:
    assert RetiredPartition.objects.horizon() is None
    retention.retire(IN_APRIL)
    assert RetiredPartition.objects.horizon() == datetime(2020, 2, 1, tzinfo=UTC)


def test_the_figures_stay(retired: Organization) -> None:
    assert not UsageEvent.objects.of(retired).exists()
    whole = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 2, 1, tzinfo=UTC)
    assert totals.of(retired, *whole) == totals.Totals(1, 0, Decimal("0.005"))
    assert totals.requests_all_time(retired) == 1


def test_the_books_agree_without_the_events(retired: Organization) -> None:
    record(event(retired), event(retired, occurred_at="2020-01-20T10:08:00Z"))
    assert reconciliation.run() == []


def test_without_the_mark_they_would_not(retired: Organization) -> None:
    """The control of the test above."""
    RetiredPartition.objects.all().delete()
    assert len({finding.check for finding in reconciliation.run()}) == 3


@pytest.mark.parametrize(
    ("start", "end", "requests"),
    [
        ("10:07", "10:08", 0),  # both are 10:00
        ("10:07", "10:15", 1),
        ("10:14", "10:16", 1),
        ("09:59", "10:14", 0),  # to 10:00
        ("10:15", "10:20", 0),
    ],
)
def test_moments_go_back_to_their_quarter_where_events_are_retired(
    retired: Organization, start: str, end: str, requests: int
) -> None:
    first, last = (datetime.fromisoformat(f"2020-01-20T{at}:00Z") for at in (start, end))
    assert totals.of(retired, first, last).requests == requests
    assert sum(day.requests for day in totals.by_day(retired, first, last, "UTC").values()) == requests
    assert sum(totals.by_endpoint(retired, first, last).values()) == requests
    assert len(totals.by_meter(retired, first, last)) == requests
    points = timeseries.run(Query(retired, first, last, "hour", "UTC"))
    assert sum(point.sums.requests for point in points) == requests
    assert not points or points[0].start == quarters.floor(first)


def test_moments_after_them_stay_exact(retired: Organization) -> None:
    at = datetime(2020, 2, 10, 10, 7, tzinfo=UTC)
    record(event(retired), at=at)
    assert totals.of(retired, at, at + timedelta(seconds=1)).requests == 1
    assert totals.of(retired, at + timedelta(seconds=1), at + timedelta(seconds=2)).requests == 0
    assert totals.of(retired, ARRIVED, at + timedelta(seconds=1)).requests == 2


def test_of_the_present_nobody_asks_what_is_retired(funded: Organization, django_assert_num_queries: Any) -> None:
    now = datetime.now(UTC)
    with django_assert_num_queries(0):
        assert totals.span_of(now - timedelta(days=50, seconds=1), now) == totals.Span(
            now - timedelta(days=50, seconds=1), now
        )


def test_a_retired_event_is_not_voided(retired: Organization) -> None:
    with pytest.raises(voids.UnknownOrRetired):
        voids.void(retired, "x", reason="r", actor="", now=timezone.now())


def test_a_void_of_an_event_that_is_retired_meanwhile_gives_nothing_back(
    leaves: None, funded: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(event(funded, id="x", meter="sms"), at=ARRIVED)
    retention.retire(IN_APRIL)
    give_back = voids._give_back

    def meanwhile(*arguments: Any) -> int:
        entry = give_back(*arguments)
        rows(PLAIN)
        return entry

    monkeypatch.setattr(voids, "_give_back", meanwhile)
    with pytest.raises(voids.UnknownOrRetired):
        voids.void(funded, "x", reason="Late", actor="", now=timezone.now())
    assert balance(funded) == Decimal("99.99")
    assert reconciliation.run() == []


def test_an_id_of_a_retired_event_counts_again(retired: Organization) -> None:
    assert outcomes(event(retired, id="x")) == ["accepted"]


@pytest.fixture
def committed_database(fresh_database: None) -> None:
    """The events behind usage are dropped in it."""


@pytest.fixture
def past(committed: None, two_months: None) -> Iterator[Organization]:
    """An organization with an event that was charged nothing, so that it can be taken away again, leaves and all."""
    partitions.ensure(ARRIVED)
    partitions.guard()
    organization = factories.organization()
    record(event(organization, id="x", quantity=0), at=ARRIVED)
    yield organization
    rows(f"DROP TABLE IF EXISTS {', '.join(MADE)}")
    RetiredPartition.objects.all().delete()
    rebuild.rebuild([organization.pk])  # of what is left: others prove all books


def test_a_marked_leaf_is_detached_later_and_its_table_stays(past: Organization) -> None:
    retention.retire(IN_APRIL)
    assert retention.retire(LATER - timedelta(seconds=1)) == []
    assert retention.retire(LATER) == [MADE[0]]
    assert JANUARY not in partitions.attached()
    assert FEBRUARY in partitions.attached()
    assert rows(f"SELECT id FROM {MADE[0]}") == ["x"]
    assert not UsageEvent.objects.of(past).exists()
    assert retention.retire(LATER) == []


def test_what_is_left_can_be_dropped_but_not_emptied(past: Organization) -> None:
    retention.retire(IN_APRIL)
    retention.retire(LATER)
    with pytest.raises(Error, match="append-only"):
        rows(f"TRUNCATE {MADE[0]}")
    rows(f"DROP TABLE {MADE[0]}")
    assert retention.retire(LATER) == []


def blocked(past: Organization, detach: Any) -> list[Any]:
    """What becomes of a detaching, a reader of before and a writer and a reader of after it began to wait for him."""
    reading, done = Event(), Event()

    def early_reader() -> int:
        try:
            with transaction.atomic():
                before = UsageEvent.objects.of(past).count()
                reading.set()
                done.wait(timeout=30)
                return before + UsageEvent.objects.of(past).count()
        finally:
            reading.set()

    def retire() -> Any:
        reading.wait(timeout=30)
        return detach()

    def others() -> Any:
        reading.wait(timeout=30)
        try:
            wait_for_a_waiting_one()
            with transaction.atomic():
                rows("SET LOCAL lock_timeout = '1s'")
                return outcomes(event(past, quantity=0)), UsageEvent.objects.of(past).count()
        finally:
            done.set()

    return race([early_reader, retire, others])


def wait_for_a_waiting_one() -> int:
    """The process that waits to detach."""
    for _ in range(300):
        if waiting := rows(WAITING):
            return int(waiting[0])
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def test_readers_and_writers_go_on_while_a_leaf_is_detached(past: Organization) -> None:
    retention.retire(IN_APRIL)
    early, detached, (recorded, seen) = blocked(past, partial(retention.retire, LATER))
    assert (detached, recorded, seen) == ([MADE[0]], ["accepted"], 1)  # who came after does not see the old event
    assert early in (1, 2)
    assert JANUARY not in partitions.attached()


def test_detached_in_one_step_they_would_wait(past: Organization) -> None:
    """The control of the test above."""
    _, _, others = blocked(past, partial(rows, PLAIN))
    assert isinstance(others, OperationalError)


def test_an_interrupted_detaching_is_finished_by_the_next_run(past: Organization) -> None:
    retention.retire(IN_APRIL)
    reading, done = Event(), Event()

    def reader() -> None:
        with transaction.atomic():
            UsageEvent.objects.of(past).count()
            reading.set()
            done.wait(timeout=30)

    def retire() -> Any:
        reading.wait(timeout=30)
        return retention.retire(LATER)

    def canceller() -> None:
        try:
            rows("SELECT pg_cancel_backend(%s)", wait_for_a_waiting_one())
            time.sleep(0.2)
        finally:
            done.set()

    _, interrupted, _ = race([reader, retire, canceller])
    assert isinstance(interrupted, Error)
    assert partitions.attached()[JANUARY] is True
    assert retention.retire(LATER) == [MADE[0]]
    assert JANUARY not in partitions.attached()
