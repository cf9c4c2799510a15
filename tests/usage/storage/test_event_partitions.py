"""Events are in one leaf per month. Expired leaves are detached, and the personal data of their events is erased."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, connection

from accounts import events
from accounts.events import publication
from accounts.lib import identifiers, months
from accounts.models import Event, PersonalData, PublishedEvent
from accounts.webhooks import outbox
from tests import factories
from tests.config.upgrades import RELEASES, databases
from tests.config.upgrades.databases import run
from usage.storage import event_partitions

NOW = datetime.now(UTC)
PREPARE = """
PREPARE write AS INSERT INTO accounts_event (id, type, data, created_at, organization_id)
SELECT $1, type, data, created_at, organization_id FROM accounts_event LIMIT 1
"""
LEAF_OF = "SELECT tableoid::regclass::text FROM accounts_event WHERE id = %s"


@pytest.fixture
def own(committed: None) -> Iterator[None]:
    """A copy of the test's database, because detaching can't be undone."""
    with databases.scratch("leaves", connection.settings_dict["NAME"]):
        yield


def happen(at: datetime) -> Event:
    """An event that was made at that time."""
    organization = factories.organization()
    event = events.record(organization.pk, "organization.resumed", {}, at, personal={"address": "203.0.113.9"})
    later = UUID(int=identifiers.first_uuid7(at).int | event.pk.int & (1 << 80) - 1)
    run("SET session_replication_role = replica")
    for table, column in (("event", "id"), ("personaldata", "event_id"), ("unpublishedevent", "event_id")):
        run(f"UPDATE accounts_{table} SET {column} = %s WHERE {column} = %s", later, event.pk)
    run("SET session_replication_role = origin")
    return Event.objects.get(pk=later)


def month_after(count: int) -> datetime:
    return months.bounds(months.shift(months.month_of(NOW), count))[0]


@pytest.mark.usefixtures("own")
def test_an_event_goes_into_the_leaf_of_its_month() -> None:
    [(first,)] = run(LEAF_OF, happen(NOW).pk)
    assert first == "accounts_event_before"
    [(later,)] = run(LEAF_OF, happen(month_after(2) + timedelta(days=3)).pk)
    assert later == f"{months.month_of(month_after(2)):accounts_event_%Y_%m}"


@pytest.mark.usefixtures("own")
def test_leaves_are_made_ahead_and_once() -> None:
    assert event_partitions.ensure(NOW) == []
    made = event_partitions.ensure(month_after(2))
    assert made == [f"{months.month_of(month_after(number)):accounts_event_%Y_%m}" for number in (4, 5)]
    assert event_partitions.ensure(month_after(2)) == []
    with pytest.raises(DatabaseError, match="append-only"):
        run(f"TRUNCATE {made[0]}")


@pytest.mark.usefixtures("own")
def test_events_past_their_time_are_retired(settings: Any) -> None:
    old, new = happen(NOW), happen(month_after(2))
    publication.publish_due(outbox.fan_out)
    settings.EVENTS_RETENTION_DAYS = 400
    assert event_partitions.retire(month_after(2) + timedelta(days=399)) == []
    assert event_partitions.retire(month_after(2) + timedelta(days=400)) == ["accounts_event_before"]
    assert list(Event.objects.values_list("pk", flat=True)) == [new.pk]
    assert list(PersonalData.objects.values_list("event_id", flat=True)) == [new.pk]
    assert PublishedEvent.objects.filter(event=old.pk).exists()  # the chain stays
    assert run("SELECT count(*) FROM accounts_event_before WHERE id = %s", old.pk) == [(1,)]
    settings.EVENTS_RETENTION_DAYS = 0
    assert event_partitions.retire(NOW + timedelta(days=10_000)) == []


@pytest.mark.parametrize(("days", "starts"), [("60", True), ("59", False)])
def test_a_time_that_is_too_short_stops_the_start(days: str, starts: bool) -> None:
    program = [sys.executable, "-c", "import config.settings"]
    environment = os.environ | {"EVENTS_RETENTION_DAYS": days}
    done = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode == 0) == starts, done.stderr


def test_a_full_table_becomes_the_first_leaf_without_being_rewritten(committed: None) -> None:
    """And a web process goes on, whose statement was prepared for the table that becomes a leaf."""
    with databases.scratch("filled_events"):
        databases.migrate(*RELEASES[-1].migrations)
        databases.fill(RELEASES[-1])
        databases.migrate(("accounts", "0018_bounded_events"))
        before = run("SELECT relfilenode, reltuples FROM pg_class WHERE relname = 'accounts_event'")
        indexes = run("SELECT indexrelid FROM pg_index WHERE indrelid = 'accounts_event'::regclass ORDER BY 1")
        rows = run("SELECT * FROM accounts_event ORDER BY id")
        if not run("SELECT 1 FROM pg_roles WHERE rolname = 'swapped_app'"):
            run("CREATE ROLE swapped_app")
        run("GRANT SELECT, INSERT ON accounts_event TO swapped_app")
        run(PREPARE)
        databases.migrate(("accounts", "0019_partitioned_events"))
        assert run("SELECT * FROM accounts_event ORDER BY id") == rows
        assert run("SELECT relfilenode, reltuples FROM pg_class WHERE relname = 'accounts_event_before'") == before
        leaf = "SELECT indexrelid FROM pg_index WHERE indrelid = 'accounts_event_before'::regclass ORDER BY 1"
        assert run(leaf) == indexes
        assert run("SELECT has_table_privilege('swapped_app', 'accounts_event', 'INSERT')") == [(True,)]
        with pytest.raises(DatabaseError, match="append-only"):
            run("DELETE FROM accounts_event")
        run("EXECUTE write(%s)", identifiers.uuid7())
        assert run("SELECT count(*) FROM accounts_event") == [(len(rows) + 1,)]
