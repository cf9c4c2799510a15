"""Hand-written statements, bound and prepared by the server: on hot paths, planning costs more than running."""

import re
import select
from collections.abc import Iterable, Mapping
from functools import cache
from threading import local
from typing import Any, LiteralString, cast

import psycopg
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import JSONField, Model
from django.db.transaction import TransactionManagementError
from psycopg import Connection, RawCursor, generators
from psycopg.abc import Loader
from psycopg.abc import Transformer as Adapter
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import OperationalError, error_from_result
from psycopg.pq import ExecStatus, Format, TransactionStatus
from psycopg.pq.abc import PGresult
from psycopg.sql import SQL, Composable, Composed, Identifier

from accounts.lib import exact_json

Parameters = Mapping[str, Any]

# Traces are taken of cursors, so `config/tracing.py` has every statement go through one.
skips_cursors = True

# Reads a moment as Django does, in UTC, but in C: Django's own takes ten times as long.
MOMENTS = cast(type[Loader], psycopg.adapters.get_loader(psycopg.adapters.types["timestamptz"].oid, Format.TEXT))

_NAMED = re.compile(r"%\((\w+)\)s")


def compose(template: LiteralString, **parts: str | Composable) -> str:
    """Compose a statement: `{name}` in the template becomes the part of that name.

    A part is SQL that we wrote, as text, or a `psycopg.sql.Literal` or `Identifier` for anything else. Values are never
    composed: they stay `%(name)s`. A brace that SQL itself needs is doubled, as in `'{{}}'`.
    """
    composed = {name: SQL(part) if isinstance(part, str) else part for name, part in parts.items()}
    return SQL(template).format(**composed).as_string()


def require_transaction() -> None:
    """Raise `TransactionManagementError` outside of a transaction, where a lock would end with its own statement."""
    if not connections[DEFAULT_DB_ALIAS].in_atomic_block:
        raise TransactionManagementError("This needs a transaction of the caller's: it locks, or relies on a lock.")


def rows(statement: str, parameters: Parameters) -> list[tuple[Any, ...]]:
    """Run one statement on Django's connection, in the transaction that is open, and return its rows.

    The server sees typed parameters, so a NULL needs a cast in the statement, and so does text that stands for a value
    of another type.
    """
    database, opened = _connection()
    with database.wrap_database_errors:
        _kept.keep(opened)
        text, values = bound(statement, parameters)
        if skips_cursors and (opened.autocommit or opened.pgconn.transaction_status == TransactionStatus.INTRANS):
            result = _run_prepared(opened, text, values)
            if result is not None:
                return result
        cursor = _kept.cursor
        cursor.execute(text, values, prepare=True)
        return cursor.fetchall() if cursor.rownumber is not None else []


def _run_prepared(opened: Connection[Any], text: bytes, values: list[Any]) -> list[tuple[Any, ...]] | None:
    """What `Cursor.execute` does with a statement that it has prepared on this connection; None if it hasn't.

    It takes a third of the time, because it skips the cursor. Before a transaction's first statement, psycopg has to
    begin it.
    """
    adapter = _kept.adapter
    dumped = adapter.dump_sequence(values, [PyFormat.AUTO] * len(values))
    names, key = opened._prepared._names, (text, adapter.types or ())
    name = names.get(key)
    if name is None:
        return None
    names.move_to_end(key)  # psycopg drops the one that was not used for longest
    with opened.lock:
        opened.pgconn.send_query_prepared(name, dumped, adapter.formats)
        result = opened.wait(generators.execute(opened.pgconn))[0]  # later errors only follow from the first one
    return rows_of(result, adapter, opened)


def rows_of(result: PGresult, adapter: Adapter, opened: Connection[Any]) -> list[tuple[Any, ...]]:
    """The rows of a result; raises the error that it may be instead."""
    if result.status == ExecStatus.TUPLES_OK:
        adapter.set_pgresult(result)
        return adapter.load_rows(0, result.ntuples, tuple)
    if result.status == ExecStatus.COMMAND_OK:
        return []
    error = error_from_result(result, encoding=opened.info.encoding)
    # The server gives every error a state. One without is libpq's own: the connection broke.
    raise error if error.sqlstate else OperationalError(str(error))


def copy(model: type[Model], rows: Iterable[Mapping[str, Any]]) -> None:
    """Insert new rows of a model by COPY, which takes a third of the time of `bulk_create`.

    A row is the values by the names of the model's attributes, such as `invoice_id`: the same ones in each row. `vars`
    of an instance has all of them. Keys that the database gives are not read back.
    """
    rows = list(rows)
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if field.attname in rows[0] and not field.db_returning]
    columns = Composed([Identifier(str(field.column)) for field in fields]).join(", ")
    statement = SQL("COPY {} ({}) FROM STDIN").format(Identifier(model._meta.db_table), columns)
    names = [field.attname for field in fields]
    of_json = [place for place, field in enumerate(fields) if isinstance(field, JSONField)]
    texts: dict[int, str] = {}  # of values that several rows share, such as the maker of events
    database, opened = _connection()
    with database.wrap_database_errors, opened.cursor().copy(statement) as target:
        for row in rows:
            values = [row[name] for name in names]
            for place in of_json:
                values[place] = _json(values[place], texts)
            target.write_row(values)


def _json(value: Any, texts: dict[int, str]) -> str | None:
    if value is None:
        return None
    text = texts.get(id(value))
    if text is None:
        text = texts[id(value)] = exact_json.dumps_few(value)
    return text


def array(values: Iterable[Any]) -> str:
    """An array as a parameter, of values that need no quotes: ids, numbers, moments, None. It needs a cast.

    psycopg takes ten times as long for a list.
    """
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"


def arrays(columns: Mapping[str, Iterable[Any]]) -> dict[str, str]:
    return {name: array(column) for name, column in columns.items()}


def in_one_trip(*steps: tuple[str, Parameters]) -> list[list[tuple[Any, ...]]]:
    """Run several statements in one round trip and return the rows of each. Without an open transaction they form one.

    Each statement sees everything that was committed before it began, even while the previous one waited for a lock.
    """
    database, opened = _connection()
    cursors = [RawCursor(opened) for _ in steps]
    with database.wrap_database_errors:
        with opened.pipeline():
            for cursor, (statement, parameters) in zip(cursors, steps, strict=True):
                cursor.execute(*bound(statement, parameters), prepare=True)
        return [cursor.fetchall() if cursor.rownumber is not None else [] for cursor in cursors]


def bound(statement: str, parameters: Parameters) -> tuple[bytes, list[Any]]:
    """The statement in the server's form, and the values of its parameters in order."""
    text, names = _numbered(statement)
    return text, [parameters[name] for name in names]


@cache
def _numbered(statement: str) -> tuple[bytes, tuple[str, ...]]:
    """The statement in the server's form, with `$1` for `%(name)s`, and the names in the order of their numbers.

    Cached, because psycopg would parse long statements again on each call.
    """
    names = tuple(dict.fromkeys(_NAMED.findall(statement)))
    return _NAMED.sub(lambda match: f"${names.index(match[1]) + 1}", statement).encode(), names


def _connection() -> tuple[BaseDatabaseWrapper, Connection[Any]]:
    """Django's connection and psycopg's beneath it.

    If nothing is waiting on the socket, the connection is alive, so we skip the round trip that would check it.
    """
    database = connections[DEFAULT_DB_ALIAS]
    database.validate_no_broken_transaction()
    opened = database.connection
    if opened is None or _is_ended(opened):
        database.close_if_health_check_failed()
        database.ensure_connection()
        opened = database.connection
    return database, opened


class _Kept(local):
    """What a thread keeps for its open connection. Making it again would take a third of the time of a posting."""

    opened: Connection[Any] | None = None

    def keep(self, opened: Connection[Any]) -> None:
        if self.opened is not opened:
            self.opened, self.cursor, self.news = opened, RawCursor(opened), select.poll()
            self.cursor.adapters.register_loader("timestamptz", MOMENTS)
            self.adapter = Transformer(self.cursor)
            self.news.register(opened.fileno(), select.POLLIN)


_kept = _Kept()


def _is_ended(opened: Connection[Any]) -> bool:
    """Whether something is waiting on an idle connection. Usually that means the server has closed it."""
    if opened.closed:
        return True
    _kept.keep(opened)
    return bool(_kept.news.poll(0))
