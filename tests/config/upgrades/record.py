"""`python -m tests.config.upgrades.record 0.1.0`: writes a release's data.sql and statements.sql, once, at its release.

Its code fills a database, which is kept with the columns of the release's schema; then it answers requests, and every
statement that it sends is kept with its values.
"""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests import servers

servers.start()

import django  # noqa: E402

django.setup()

import psycopg  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402
from psycopg.sql import Literal  # noqa: E402

from tests.config.upgrades import OWN, RELEASES, Release, databases, story  # noqa: E402
from tests.config.upgrades.databases import run  # noqa: E402

COLUMNS = """
SELECT table_name::text, array_agg(column_name::text ORDER BY ordinal_position) FROM information_schema.columns
 WHERE table_schema = 'public' AND is_generated = 'NEVER' GROUP BY 1
"""
SEQUENCES = """
SELECT s.relname, pg_sequence_last_value(s.oid) FROM pg_class s
 WHERE s.relkind = 'S' AND s.relnamespace = 'public'::regnamespace AND split_part(s.relname, '_', 1) = ANY(%s)
 ORDER BY 1
"""
NOT_REPEATED = ("SET TRANSACTION",)  # each request is repeated in a transaction of its own


def record(release: Release) -> None:
    setup_test_environment()
    settings.ANONYMOUS_RATE_LIMIT = 1_000_000
    release.data.parent.mkdir(exist_ok=True)
    with databases.scratch("release"):
        databases.migrate(*release.migrations)
        columns = dict(run(COLUMNS))
    with databases.scratch("recorded"):
        databases.migrate()
        cast = story.fill()
        release.data.write_text("".join(_data(columns)))
        release.statements.write_text("".join(_statements(cast)))


def _data(columns: dict[str, list[str]]) -> Iterator[str]:
    for table in databases.tables():
        names = ", ".join(f'"{name}"' for name in columns.get(table, ()))
        values = ", ".join(f'"{name}"::text' for name in columns.get(table, ()))
        rows = run(f"SELECT {values} FROM {table} ORDER BY 1, 2") if names else []
        if rows:
            lines = ",\n".join(f"({', '.join(_literal(value) for value in row)})" for row in rows)
            yield f"INSERT INTO {table} ({names}) VALUES\n{lines};\n"
    for sequence, last in run(SEQUENCES, list(OWN)):
        if last is not None:
            yield f"SELECT setval('{sequence}', {last});\n"


def _statements(cast: Any) -> Iterator[str]:
    for request, answer in story.requests(cast):
        with _captured() as statements:
            answer()
        yield f"-- {request}\n"
        yield from (f"{statement};\n" for statement in statements if not statement.startswith(NOT_REPEATED))


@contextmanager
def _captured() -> Iterator[list[str]]:
    """What is sent to the database, with the values in place."""
    statements: list[str] = []
    execute = psycopg.Cursor.execute

    def capture(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(self, psycopg.RawCursor):
            text = query.decode() if isinstance(query, bytes) else query
            text = re.sub(r"\$(\d+)", lambda match: _literal(params[int(match[1]) - 1]), text)
        else:
            text = psycopg.ClientCursor(self.connection).mogrify(query, params)
        statements.append(text.strip())
        return execute(self, query, params, **options)

    psycopg.Cursor.execute = capture  # type: ignore[method-assign]
    try:
        yield statements
    finally:
        psycopg.Cursor.execute = execute  # type: ignore[method-assign]


def _literal(value: Any) -> str:
    return Literal(value).as_string(connection.connection)


if __name__ == "__main__":
    (name,) = sys.argv[1:]
    record(next(release for release in RELEASES if release.name == name))
