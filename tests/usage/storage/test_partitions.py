"""A leaf a month of arrival, made ahead of time."""

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from threading import Event
from typing import Any

import pytest
from django.db import Error, connection, transaction

from accounts.lib import months
from accounts.models import Organization
from tests.concurrency import race
from tests.conftest import Api
from tests.usage.metering.batches import balance, event, outcomes, record, this_month
from usage import tasks
from usage.metering import insert
from usage.models import EndpointRollup, UsageEvent, UsageRollup
from usage.storage import partitions

FAR = datetime(2041, 11, 20, tzinfo=UTC)  # has no partitions
MADE = ["usage_event_2041_11", "usage_event_2041_12", "usage_event_2042_01", "usage_event_2042_02"]


def rows(sql: str, *parameters: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return [row[0] if len(row) == 1 else row for row in cursor.fetchall()]


def leaves() -> set[str]:
    return set(rows("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'usage_event'::regclass"))


def leaf_of(id_: str) -> str:
    [name] = rows("SELECT tableoid::regclass::text FROM usage_event WHERE id = %s", id_)
    return re.sub(r"_\d{6,}$", "", name)  # on Citus it is a shard of the leaf


def test_the_month_and_three_more_are_made(db: None) -> None:
    assert partitions.ensure(FAR) == MADE
    assert set(MADE) <= leaves()


def test_what_is_there_is_not_made_again(db: None) -> None:
    partitions.ensure(FAR)
    before = leaves()
    assert partitions.ensure(FAR) == []
    assert partitions.ensure(FAR + timedelta(days=14)) == ["usage_event_2042_03"]
    assert leaves() == {*before, "usage_event_2042_03"}


def test_the_month_is_that_of_utc(db: None) -> None:
    still_march = datetime(2041, 4, 1, 1, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    assert partitions.ensure(still_march, ahead=0) == ["usage_event_2041_03"]


def test_an_installation_has_this_months_leaf_and_the_next(db: None) -> None:
    assert tasks.make_partitions() == []
    assert {f"usage_event_{datetime.now(UTC):%Y_%m}", f"usage_event_{this_month(28).replace(day=28):%Y_%m}"} <= leaves()


def test_partitions_are_looked_after_every_hour(settings: Any) -> None:
    scheduled = {task["task"]: task["schedule"] for task in settings.CELERY_BEAT_SCHEDULE.values()}
    assert len(scheduled[tasks.make_partitions.name].hour) == 24


@pytest.mark.parametrize(
    ("moment", "bounds"),
    [
        (datetime(2041, 12, 31, 23, 59, 59, 999999, tzinfo=UTC), ((2041, 12), (2042, 1))),
        (datetime(2042, 1, 1, tzinfo=UTC), ((2042, 1), (2042, 2))),
        (datetime(2044, 2, 29, tzinfo=UTC), ((2044, 2), (2044, 3))),
    ],
)
def test_a_month_ends_where_the_next_begins(moment: datetime, bounds: tuple[tuple[int, int], ...]) -> None:
    (year, month), (next_year, next_month) = bounds
    first, following = datetime(year, month, 1, tzinfo=UTC), datetime(next_year, next_month, 1, tzinfo=UTC)
    assert months.bounds(months.month_of(moment)) == (first, following)


def test_the_years_end_lies_between_two_leaves(funded: Organization) -> None:
    partitions.ensure(FAR)
    new_year = datetime(2042, 1, 1, tzinfo=UTC)
    record(event(funded, id="old"), at=new_year - timedelta(microseconds=1))
    record(event(funded, id="new"), at=new_year)
    assert (leaf_of("old"), leaf_of("new")) == ("usage_event_2041_12", "usage_event_2042_01")


@pytest.mark.parametrize("occurred_at", ["2015-05-17", "0001-01-01", "1999-12-31T23:59:59Z"])
def test_an_event_lies_with_its_arrival_and_not_its_occurrence(funded: Organization, occurred_at: str) -> None:
    partitions.ensure(FAR)
    record(event(funded, id="late", occurred_at=occurred_at), at=FAR)
    assert leaf_of("late") == "usage_event_2041_11"


def test_each_leaf_has_its_unique_index_and_one_by_time(db: None) -> None:
    partitions.ensure(FAR)
    indexes = rows("SELECT tablename, indexdef FROM pg_indexes WHERE tablename LIKE 'usage_event_2%%'")
    unique = {table for table, sql in indexes if "UNIQUE" in sql and sql.endswith("(account_id, organization_id, id)")}
    by_time = {table for table, sql in indexes if sql.endswith("(account_id, organization_id, occurred_at)")}
    assert unique == by_time == leaves()


def test_each_leaf_has_the_checks_of_the_table(funded: Organization) -> None:
    partitions.ensure(FAR)
    record(event(funded, id="x"), at=FAR)
    charged = UsageEvent.objects.get(id="x")
    charged.id, charged.entry_seq = "y", None
    with pytest.raises(Error, match="check"), transaction.atomic():
        charged.save(force_insert=True)
    assert not UsageEvent.objects.filter(id="y").exists()


@pytest.mark.parametrize("table", ["usage_event", MADE[0]])
@pytest.mark.parametrize("change", ["UPDATE {} SET credits = 0", "DELETE FROM {}", "TRUNCATE {}"])
def test_events_are_immutable_in_every_leaf(funded: Organization, table: str, change: str) -> None:
    partitions.ensure(FAR)
    partitions.guard()
    record(event(funded, id="x"), at=FAR)
    with pytest.raises(Error, match="append-only"), transaction.atomic():
        rows(change.format(table))
    assert UsageEvent.objects.get(id="x").credits > 0


def test_the_task_guards_the_leaves_that_it_makes(db: None) -> None:
    partitions.ensure(FAR)
    tasks.make_partitions()
    guarded = rows("SELECT tgrelid::regclass::text FROM pg_trigger WHERE tgname = 'usage_event_no_truncate'")
    assert leaves() < set(guarded)


def test_without_a_leaf_a_batch_is_refused_and_changes_nothing(funded: Organization) -> None:
    with pytest.raises(insert.NoPartition), transaction.atomic():
        record(event(funded), event(funded, meter="sms"), at=FAR)
    assert not any(table.objects.of(funded).exists() for table in (UsageEvent, UsageRollup, EndpointRollup))
    assert balance(funded) == 100


def test_without_a_leaf_the_answer_is_503_and_when_to_try_again(funded: Organization, gateway: Api) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE usage_event DETACH PARTITION usage_event_{datetime.now(UTC):%Y_%m}")
    answer = gateway.post("/v1/usage/events", event(funded))
    assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "not_ready", "60")
    assert answer["Content-Type"] == "application/problem+json"
    assert balance(funded) == 100


def test_a_refused_batch_lands_once_the_leaf_is_there(funded: Organization) -> None:
    sent = event(funded)
    with pytest.raises(insert.NoPartition), transaction.atomic():
        record(sent, at=FAR)
    partitions.ensure(FAR)
    assert outcomes(sent, at=FAR) == ["accepted"]


@pytest.fixture
def far_leaves(committed: None) -> Iterator[None]:
    """Makes room for partitions in the far future, and takes them away again."""
    yield
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {', '.join(MADE)}")


def test_of_many_that_make_partitions_at_once_one_works(far_leaves: None) -> None:
    results = race([lambda: partitions.ensure(FAR)] * 6)
    assert sorted(results) == [[]] * 5 + [MADE]


def test_partitions_made_at_once_would_collide_without_the_lock(
    far_leaves: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the second takes another lock."""
    made = Event()

    def first() -> None:
        with transaction.atomic():
            partitions.ensure(FAR)
            made.set()
            time.sleep(0.1)

    def second() -> None:
        made.wait(timeout=30)
        monkeypatch.setattr(partitions, "LOCK_KEY", partitions.LOCK_KEY + 1)
        partitions.ensure(FAR)

    assert isinstance(race([first, second])[1], Error)
