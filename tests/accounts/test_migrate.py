"""`migrate` beside requests: a table that is in use stays usable while its change waits."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from threading import Thread
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.commands import migrate as django_migrate
from django.db import OperationalError, connection, transaction

from accounts.management.commands import migrate
from tests.concurrency import race, wait_until_blocking

READ_SECONDS = 2

pytestmark = pytest.mark.usefixtures("committed")


@contextmanager
def a_report() -> Iterator[None]:
    """A long transaction of somebody who reads the holds."""
    connection.set_autocommit(False)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM billing_hold")
        yield
    finally:
        connection.rollback()
        connection.set_autocommit(True)


def change_the_table(*args: Any, **options: Any) -> None:
    """A migration that changes a table."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_hold ADD COLUMN tried int")
        cursor.execute("ALTER TABLE billing_hold DROP COLUMN tried")


def request() -> float:
    """The seconds that a request takes which needs the table."""
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = %s", [READ_SECONDS * 1000])
        cursor.execute("SELECT count(*) FROM billing_hold")
        cursor.execute("RESET statement_timeout")
    return time.monotonic() - began


def beside(change: Any) -> Any:
    """The result of a request while the change waits for a report; the change is made when the report has ended."""
    with a_report():
        changing = Thread(target=partial(race, [change]))
        changing.start()
        wait_until_blocking()
        [answer] = race([request])
    changing.join()
    return answer


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_migrate.Command, "handle", lambda self, *args, **options: change_the_table())
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 0.2)
    monkeypatch.setattr(migrate, "PAUSE_SECONDS", 0.2)


def test_requests_get_through_while_a_migration_waits(capsys: pytest.CaptureFixture[str]) -> None:
    assert beside(partial(call_command, "migrate")) < READ_SECONDS
    assert "Trying again" in capsys.readouterr().out


def test_without_it_they_would_wait_as_long_as_the_report_takes() -> None:
    """The control."""
    assert isinstance(beside(change_the_table), OperationalError)


def change_two_tables(*args: Any, **options: Any) -> None:
    """A migration of one transaction that changes two tables."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("LOCK TABLE billing_grant IN ACCESS EXCLUSIVE MODE")
        cursor.execute("LOCK TABLE billing_hold IN ACCESS EXCLUSIVE MODE")


def test_a_deadlock_with_a_request_is_no_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The request needs the same two tables in the other order. PostgreSQL notices after a second."""
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 5)
    monkeypatch.setattr(django_migrate.Command, "handle", change_two_tables)
    outcomes: list[Any] = []
    changing = Thread(target=lambda: outcomes.extend(race([partial(call_command, "migrate")])))
    with a_report():
        changing.start()
        wait_until_blocking()
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM billing_grant")
    changing.join()
    assert outcomes == [None]
    assert "Trying again" in capsys.readouterr().out


def late_deadlock() -> Any:
    """What a request gets that needs a second table, which a migration that waits for its first one has locked.

    It begins to wait when PostgreSQL has already looked at the migration, so it is the one that is looked at next.
    """
    changing = Thread(target=partial(race, [partial(call_command, "migrate")]))
    try:
        with a_report():
            changing.start()
            wait_until_blocking()
            time.sleep(1.2)
            with connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM billing_grant")
                return cursor.fetchone()
    except OperationalError as error:
        return error
    finally:
        changing.join()


def test_in_a_deadlock_the_migration_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(django_migrate.Command, "handle", change_two_tables)
    assert not isinstance(late_deadlock(), OperationalError)
    monkeypatch.setattr(migrate, "LOCK_SECONDS", 5)
    assert "deadlock" in str(late_deadlock()), "the control"


def test_it_gives_up_in_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrate, "PATIENCE_SECONDS", 0)
    with a_report():
        [error] = race([partial(call_command, "migrate")])
    assert "lock timeout" in str(error)
