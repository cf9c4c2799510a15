"""Hand-written statements: one trip, one transaction, and a connection that is known to live."""

import select
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, DataError, connection, transaction
from psycopg.sql import Identifier, Literal

from accounts.lib import sql


def test_names_are_numbered_once_each(db: None) -> None:
    statement = "SELECT %(b)s::int, %(a)s::text, %(b)s::int + 1"
    assert sql.rows(statement, {"a": "x", "b": 5, "more": None}) == [(5, "x", 6)]
    assert sql._numbered(statement) == (b"SELECT $1::int, $2::text, $1::int + 1", ("b", "a"))


def test_what_returns_nothing_has_no_rows(db: None) -> None:
    assert sql.rows("CREATE TEMP TABLE nothing (n int) ON COMMIT DROP", {}) == []


def test_in_one_trip_each_statement_has_its_rows(db: None) -> None:
    answers = sql.in_one_trip(("SELECT %(n)s::int", {"n": 1}), ("SELECT 2, 3 UNION ALL SELECT 4, 5", {}))
    assert answers == [[(1,)], [(2, 3), (4, 5)]]


def test_in_one_trip_all_or_nothing_is_done(committed: None) -> None:
    sql.rows("CREATE TEMP TABLE counted (n int)", {})
    with pytest.raises(DatabaseError):
        sql.in_one_trip(("INSERT INTO counted VALUES (1)", {}), ("SELECT 1 / %(n)s::int", {"n": 0}))
    assert sql.rows("SELECT n FROM counted", {}) == []
    sql.in_one_trip(("INSERT INTO counted VALUES (1)", {}), ("SELECT 1", {}))
    assert sql.rows("SELECT n FROM counted", {}) == [(1,)]


def test_a_connection_that_the_server_has_closed_is_opened_again(committed: None) -> None:
    [(mine,)] = sql.rows("SELECT pg_backend_pid()", {})
    with psycopg.connect(**_parameters()) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [mine])
    select.select([connection.connection.fileno()], [], [], 30)  # until the news is here
    connection.health_check_done = False  # type: ignore[attr-defined]  # as at the start of a request
    assert sql.rows("SELECT pg_backend_pid()", {}) != [(mine,)]


def test_a_connection_without_news_is_not_asked(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sql.rows("SELECT 1", {})
    connection.health_check_done = False  # type: ignore[attr-defined]
    with monkeypatch.context() as patch:
        patch.setattr(connection, "is_usable", lambda: pytest.fail("it was asked"))
        assert sql.rows("SELECT 2", {}) == [(2,)]


def _parameters() -> dict[str, Any]:
    parameters: dict[str, Any] = connection.get_connection_params()
    return {name: value for name, value in parameters.items() if name in ("host", "port", "dbname", "user", "password")}


def test_a_statement_is_composed_of_its_parts() -> None:
    words = "SELECT {columns} FROM {table} WHERE word = ANY({words}) AND id = %(id)s AND data = '{{}}'"
    parts: dict[str, Any] = {"columns": "id, word", "table": Identifier("or der"), "words": Literal(["it's"])}
    assert sql.compose(words, **parts) == (
        """SELECT id, word FROM "or der" WHERE word = ANY('{it''s}') AND id = %(id)s AND data = '{}'"""
    )


def test_a_statement_that_is_prepared_goes_past_the_cursor(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the values, rows, errors and transactions of a cursor."""
    divide = "SELECT %(a)s::int / %(b)s::int, %(text)s::text, %(moment)s::timestamptz"
    values: dict[str, Any] = {"a": 9, "b": 2, "text": None, "moment": datetime(2026, 1, 2, tzinfo=UTC)}
    insert = "INSERT INTO noted VALUES (%(a)s)"
    sql.rows("CREATE TEMP TABLE noted (a int)", {})
    slow = [sql.rows(divide, values), sql.rows(insert, values)]
    with monkeypatch.context() as patch:
        patch.setattr(psycopg.RawCursor, "execute", lambda *args, **options: pytest.fail("a cursor was used"))
        assert [sql.rows(divide, values), sql.rows(insert, values)] == slow
        with pytest.raises(DataError, match="division by zero"):
            sql.rows(divide, {**values, "b": 0})
        assert sql.rows(divide, values) == slow[0]
    with transaction.atomic():
        sql.rows(insert, values)  # begins the transaction
        sql.rows(insert, values)
        transaction.set_rollback(True)
    assert sql.rows("SELECT count(*) FROM noted", {}) == [(2,)]
    assert sql.rows(divide, values) == slow[0]  # psycopg forgets after a rollback what it has prepared
