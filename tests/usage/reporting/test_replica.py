"""Figures from a replica: how old they are, and what happens without one that can be used."""

import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection, connections, router
from django.utils import timezone

from accounts import tokens
from accounts.lib import replica
from accounts.models import Organization, User
from apikeys import keys
from tests import factories, standby
from tests.browser import signed_in
from tests.conftest import Api
from tests.usage.metering.batches import event, record
from usage.models import UsageRollup
from usage.storage import diagnosis, gauges

pytestmark = pytest.mark.usefixtures("committed")
real = pytest.mark.skipif("DATABASE_URL" in os.environ, reason="only the embedded PostgreSQL is copied")
PATIENCE_SECONDS = 60
USAGE = "/v1/usage"


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """What DATABASE_REPLICA_URL would make of Django: its settings of the connection, for the test to change."""
    own = {**connection.settings_dict}
    monkeypatch.setitem(connections.settings, replica.ALIAS, own)
    monkeypatch.setattr(router, "routers", [replica.Router()])
    monkeypatch.setattr(replica, "_left_alone_until", 0.0)
    yield own
    connections[replica.ALIAS].close()
    del connections[replica.ALIAS]


@pytest.fixture
def following(configured: dict[str, Any], tmp_path: Path) -> Iterator[dict[str, Any]]:
    with standby.running(tmp_path / "standby") as settings:
        configured.update(settings)
        yield settings


@pytest.fixture
def alice() -> User:
    """Committed, as is all that these tests make."""
    return factories.user("alice")


@pytest.fixture
def organization(alice: User) -> Organization:
    assert alice.current_organization
    return alice.current_organization


@pytest.fixture
def ask(alice: User, organization: Organization) -> Callable[..., Any]:
    client = Api(tokens.issue(alice, organization).access)

    def get(path: str = USAGE) -> Any:
        answer = client.get(path)
        assert answer.status_code == 200, answer.content
        return answer

    return get


def used(answer: Any) -> int:
    return sum(point["requests"] for point in answer.json()["data"])


def age(answer: Any) -> timedelta:
    assert answer.headers.get("X-Tollgate-As-Of", answer.json()["as_of"]) == answer.json()["as_of"]
    return timezone.now() - datetime.fromisoformat(answer.json()["as_of"])


def caught_up(settings: dict[str, Any]) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_wal_insert_lsn()::text")
        [position] = cursor.fetchone()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not standby.asked(settings, f"SELECT pg_last_wal_replay_lsn() >= '{position}'")[0]:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def metrics() -> list[float]:
    """Whether the replica is up, and how far it is behind, as far as that is known."""
    values = [family.samples[0].value for family in gauges.replication() if family.samples]
    return [value for value in values if value is not None]


def findings() -> list[str]:
    return [
        finding.text
        for finding in diagnosis.examine(timezone.now())
        if finding.subject == "read replica" and finding.text
    ]


def test_without_a_replica_figures_are_as_of_now(organization: Organization, ask: Any) -> None:
    record(event(organization))
    answer = ask()
    assert (used(answer), age(answer) < timedelta(seconds=5)) == (1, True)
    assert findings() == []
    assert metrics() == []


def test_a_database_that_is_no_replica_is_not_used(
    organization: Organization, ask: Any, configured: dict[str, Any]
) -> None:
    record(event(organization))
    assert used(ask()) == 1
    assert replica._left_alone_until > time.monotonic()
    [text] = findings()
    assert "no streaming replica" in text


def test_the_primary_answers_for_a_replica_that_is_down(
    organization: Organization, ask: Any, configured: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    configured.update(HOST="/nowhere")
    record(event(organization))
    assert used(ask()) == 1
    assert metrics() == [0]

    def fail() -> None:
        raise AssertionError("it is left alone for some seconds")

    monkeypatch.setattr(replica, "as_of", fail)
    assert used(ask()) == 1


def test_a_row_that_a_replica_gave_is_written_to_the_primary() -> None:
    row = Organization()
    row._state.db = replica.ALIAS
    routes = replica.Router()
    assert (routes.db_for_write(Organization, instance=row), routes.db_for_read(Organization, instance=row)) == (
        ("default", "default")
    )


@real
def test_figures_say_how_old_they_are_and_nothing_else_waits_for_the_replica(
    alice: User, organization: Organization, ask: Any, following: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    record(event(organization))
    caught_up(following)
    answer = ask()
    assert (used(answer), age(answer) < timedelta(seconds=2)) == (1, True)
    assert connections[replica.ALIAS].connection is not None
    assert findings() == []
    up, seconds = metrics()
    assert (up, seconds < 2) == (1, True)

    standby.asked(following, "SELECT pg_wal_replay_pause()")
    time.sleep(0.5)
    record(event(organization))
    key, _ = keys.create(organization, name="made after the pause", created_by=alice)
    answer = ask()
    assert (used(answer), age(answer) > timedelta(seconds=0.4)) == (1, True)
    assert ask(f"{USAGE}?key={key.public_id}").json()["data"], "what the query is about comes from the primary"
    up, seconds = metrics()
    assert (up, 0.4 < seconds < 60) == (1, True)
    overview = ask("/v1/overview")
    assert age(overview) > timedelta(seconds=0.4)
    assert overview.json()["month"]["requests"] == 1
    assert overview.json()["balance"]["balance"] == -0.002, "money is never late"
    page = signed_in(alice).get(f"/o/{organization.public_id}/usage/").content.decode()
    assert "With all usage recorded until" in page
    assert ask("/auth/account/usage").json()["total_requests"] == 2, "the documented API is never late"

    monkeypatch.setattr(settings, "DATABASE_REPLICA_LAG_SECONDS", 0)
    assert used(ask()) == 2, "it is too far behind"
    assert "behind" in findings()[0]


@real
def test_a_replica_that_ends_a_query_is_no_fault_of_the_reader(
    organization: Organization, ask: Any, following: dict[str, Any]
) -> None:
    """Such as one that conflicts with what it has to apply, or that is stopped."""
    record(event(organization))
    caught_up(following)
    calls = []

    def read() -> int:
        calls.append(connections[replica.ALIAS].in_atomic_block)
        if calls == [True]:
            with connections[replica.ALIAS].cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return UsageRollup.objects.of(organization).count()

    assert replica.figures(read).value == 1
    assert calls == [True, False]
