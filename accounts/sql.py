"""Hand-written statements, bound and prepared by the server: on the hot paths, planning costs more than running."""

from collections.abc import Mapping
from typing import Any

from django.db import connection
from psycopg import Cursor


def rows(statement: str, parameters: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement on Django's own connection, in whatever transaction is open; the rows that it returns.

    The server sees typed parameters: a NULL, or a text that is none, needs a cast in the statement.
    """
    connection.validate_no_broken_transaction()
    connection.close_if_health_check_failed()
    connection.ensure_connection()
    with connection.wrap_database_errors, Cursor(connection.connection) as cursor:
        cursor.execute(statement, parameters, prepare=True)
        return cursor.fetchall() if cursor.description else []
