"""Hand-written statements, bound and prepared by the server: on the hot paths, planning costs more than running."""

import select
from collections.abc import Mapping
from typing import Any

from django.db import connection
from psycopg import Connection, Cursor

Parameters = Mapping[str, Any]


def rows(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run one statement on Django's own connection, in whatever transaction is open; the rows that it returns.

    The server sees typed parameters: a NULL, or a text that is none, needs a cast in the statement.
    """
    opened = _connection()
    with connection.wrap_database_errors, Cursor(opened) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []


def last_rows(*steps: tuple[str, Parameters]) -> list[tuple[Any, ...]]:
    """Run statements in one trip to the server; the rows of the last.

    Where no transaction is open they are one. Each sees what was committed before it began, also while the one before
    waited for a lock.
    """
    opened = _connection()
    with connection.wrap_database_errors:
        with opened.pipeline():
            for statement, parameters in steps:
                cursor = Cursor(opened)
                cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall()


def _connection() -> Connection[Any]:
    """Django's connection, open. One on which there is no news is alive, and is not asked whether it is."""
    connection.validate_no_broken_transaction()
    if connection.connection is None or _is_ended(connection.connection):
        connection.close_if_health_check_failed()
        connection.ensure_connection()
    opened: Connection[Any] = connection.connection
    return opened


def _is_ended(opened: Connection[Any]) -> bool:
    """Whether there is news on an idle connection: mostly, that the server has closed it."""
    if opened.closed:
        return True
    poll = select.poll()
    poll.register(opened.fileno(), select.POLLIN)
    return bool(poll.poll(0))
