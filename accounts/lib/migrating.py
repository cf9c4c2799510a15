"""Operations for migrations that run while requests are served. They take no lock that would stop requests, so there is
no transaction around them.

Each can be run again after it was killed half-way: it first removes what the earlier run left, say an invalid index.
"""

from typing import Any

from django.contrib.postgres.operations import AddConstraintNotValid, AddIndexConcurrently, ValidateConstraint
from django.db.migrations import AddConstraint, RemoveConstraint, RunSQL, SeparateDatabaseAndState
from django.db.migrations.operations.base import Operation
from django.db.models import CheckConstraint, Index, UniqueConstraint


def add_index(model_name: str, index: Index) -> list[Operation]:
    return [_without(index.name), AddIndexConcurrently(model_name, index)]


def add_check(model_name: str, table: str, constraint: CheckConstraint) -> list[Operation]:
    """New rows are checked from the start. Existing rows are checked in a second step that blocks nobody."""
    return [
        RunSQL(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {constraint.name}", RunSQL.noop),
        AddConstraintNotValid(model_name, constraint),
        ValidateConstraint(model_name, constraint.name),
    ]


def add_unique(model_name: str, constraint: UniqueConstraint, *, on: str) -> list[Operation]:
    """A unique constraint with a condition, which is an index. `on` is its table, columns and condition in SQL."""
    create = RunSQL(f"CREATE UNIQUE INDEX CONCURRENTLY {constraint.name} ON {on}", _drop(constraint.name))
    state: Any = AddConstraint(model_name, constraint)
    return [_without(constraint.name), SeparateDatabaseAndState([create], [state])]


def drop_constraint(model_name: str, table: str, name: str) -> list[Operation]:
    state: Any = RemoveConstraint(model_name, name)
    drop = RunSQL(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name}", RunSQL.noop)
    return [SeparateDatabaseAndState([drop], [state])]


def _without(index: str) -> RunSQL:
    return RunSQL(_drop(index), RunSQL.noop)


def _drop(index: str) -> str:
    return f"DROP INDEX CONCURRENTLY IF EXISTS {index}"
