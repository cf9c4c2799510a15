"""Hand-written statements, bound and prepared by the server: on the hot paths, planning costs more than running."""

import re
import select
from collections.abc import Mapping
from functools import cache
from threading import local
from typing import Any, LiteralString

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.transaction import TransactionManagementError
from psycopg import Connection, RawCursor
from psycopg.sql import SQL, Composable

Parameters = Mapping[str, Any]

_NAMED = re.compile(r"%\((\w+)\)s")


def compose(template: LiteralString, **parts: str | Composable) -> str:
    """A statement out of its parts: `{name}` in the template becomes the part of that name.

    A part is SQL of ours, a constant or composed itself; or `psycopg.sql.Literal` and `Identifier` for what is not.
    Values are never composed: they stay `%(name)s`. A brace that SQL itself needs is doubled, as in `'{{}}'`.
    """
    composed = {name: SQL(part) if isinstance(part, str) else part for name, part in parts.items()}
    return SQL(template).format(**composed).as_string()


def require_transaction() -> None:
    """`TransactionManagementError` outside of a transaction, where a lock ends with the statement that takes it."""
    if not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        raise TransactionManagementError("This needs a transaction of the caller's: it locks, or relies on a lock.")


def rows(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run one statement on Django's own connection, in whatever transaction is open; the rows that it returns.

    The server sees typed parameters: a NULL, or a text that is none, needs a cast in the statement.
    """
    database, opened = _connection()
    with database.wrap_database_errors:
        _kept.keep(opened)
        cursor = _kept.cursor
        cursor.execute(*_bound(statement, parameters), prepare=True)
        return cursor.fetchall() if cursor.rownumber is not None else []


def in_one_trip(*steps: tuple[str, Parameters]) -> list[list[tuple[Any, ...]]]:
    """Run several statements in one trip to the server; the rows of each. Where no transaction is open, they are one.

    Each sees what was committed before it began, also while the one before it waited for a lock.
    """
    database, opened = _connection()
    cursors = [RawCursor(opened) for _ in steps]
    with database.wrap_database_errors:
        with opened.pipeline():
            for cursor, (statement, parameters) in zip(cursors, steps, strict=True):
                cursor.execute(*_bound(statement, parameters), prepare=True)
        return [cursor.fetchall() if cursor.rownumber is not None else [] for cursor in cursors]


def _bound(statement: str, parameters: Parameters) -> tuple[bytes, list[Any]]:
    text, names = _numbered(statement)
    return text, [parameters[name] for name in names]


@cache
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """A statement as the server knows it, `$1` for `%(name)s`, and what its numbers name.

    psycopg would work it out anew for every long one.
    """
    names = tuple(dict.fromkeys(_NAMED.findall(statement)))
    return _NAMED.sub(lambda match: f"${names.index(match[1]) + 1}", statement).encode(), names


def _connection() -> tuple[BaseDatabaseWrapper, Connection[Any]]:
    """Django's, and the one that it has open. Where there is no news, that one is alive, and is not asked about it."""
    database = connections[DEFAULT_DB_ALIAS]
    database.validate_no_broken_transaction()
    opened = database.connection
    if opened is None or _is_ended(opened):
        database.close_if_health_check_failed()
        database.ensure_connection()
        opened = database.connection
    return database, opened


class _Kept(local):
    """What a thread keeps for its open connection: to make it anew takes a third of the time of a posting."""

    opened: Connection[Any] | None = None

    def keep(self, opened: Connection[Any]) -> None:
        if self.opened is not opened:
            self.opened, self.cursor, self.news = opened, RawCursor(opened), select.poll()
            self.news.register(opened.fileno(), select.POLLIN)


_kept = _Kept()


def _is_ended(opened: Connection[Any]) -> bool:
    """Whether there is news on an idle connection: mostly, that the server has closed it."""
    if opened.closed:
        return True
    _kept.keep(opened)
    return bool(_kept.news.poll(0))
