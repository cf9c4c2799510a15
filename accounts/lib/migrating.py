"""Operations for migrations that run while requests are served. They take no lock that would stop requests for long, so
there is no transaction around them.

Each can be run again after it was killed half-way: it first removes what the earlier run left, say an invalid index.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db.migrations import AddConstraint, RemoveConstraint, RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.models import CheckConstraint, Index, UniqueConstraint


@contextmanager
def patience(connection: Any) -> Iterator[None]:
    """Within it, statements wait for locks as long as it takes. What is done CONCURRENTLY waits for others'
    transactions, and stops nobody meanwhile."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout')")
        [before] = cursor.fetchone()
        cursor.execute("SET lock_timeout = 0")
        try:
            yield
        finally:
            cursor.execute("SELECT set_config('lock_timeout', %s, false)", [before])


def is_whole(cursor: Any, index: str) -> bool:
    """Whether there is an index of this name, and it is finished: what an earlier run has left, and need not repeat."""
    cursor.execute("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid", [index])
    return cursor.fetchone() is not None


class AddIndexPatiently(AddIndexConcurrently):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        with patience(schema_editor.connection):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


class RunPatiently(RunSQL):
    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        with patience(schema_editor.connection):
            super().database_forwards(app_label, schema_editor, from_state, to_state)


def lock_first(*tables: str) -> RunSQL:
    """For the start of a migration that is a transaction and changes several tables: it waits for all of them before it
    does anything. Name them in the order in which requests use them, or else they and the migration block each other.
    """
    return RunSQL(f"LOCK TABLE {', '.join(tables)} IN ACCESS EXCLUSIVE MODE", RunSQL.noop)


def add_index(model_name: str, index: Index) -> list[Operation]:
    return [_without(index.name), AddIndexPatiently(model_name, index)]


def add_check(model_name: str, table: str, constraint: CheckConstraint) -> list[Operation]:
    """New rows are checked from the start. Existing rows are checked in a second step that blocks nobody."""
    return [
        RunSQL(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint.name}", RunSQL.noop),
        AddConstraintNotValid(model_name, constraint),
        ValidateConstraint(model_name, constraint.name),
    ]


def add_unique(model_name: str, constraint: UniqueConstraint, *, on: str) -> list[Operation]:
    """A unique constraint with a condition, which is an index. `on` is its table, columns and condition in SQL."""
    create = RunPatiently(f"CREATE UNIQUE INDEX CONCURRENTLY {constraint.name} ON {on}", _drop(constraint.name))
    state: Any = AddConstraint(model_name, constraint)
    return [_without(constraint.name), SeparateDatabaseAndState([create], [state])]


def drop_constraint(model_name: str, table: str, name: str) -> list[Operation]:
    state: Any = RemoveConstraint(model_name, name)
    drop = RunSQL(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}", RunSQL.noop)
    return [SeparateDatabaseAndState([drop], [state])]


def lead_key_by_payer(table: str, index: str) -> list[Operation]:
    """Make (account_id, id) the primary key in place of id.

    The index is made beside requests. The key is then exchanged in an instant, and takes the index over.
    """
    create = f"CREATE UNIQUE INDEX CONCURRENTLY {index} ON {table} (account_id, id)"
    exchange = f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey, ADD CONSTRAINT {table}_pkey PRIMARY KEY"
    return [
        _without(index),
        RunPatiently(create, _drop(index)),
        RunSQL(f"{exchange} USING INDEX {index}", f"{exchange} (id)"),
    ]


def _without(index: str) -> RunSQL:
    return RunPatiently(_drop(index), RunSQL.noop)


def _drop(index: str) -> str:
    return f"DROP INDEX CONCURRENTLY IF EXISTS {index}"
