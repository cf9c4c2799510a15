"""Rows of hand-written statements as instances of models.

Every request reads its credential. Django takes ten times as long to compose such a query as PostgreSQL to answer it.
"""

from functools import cache
from itertools import islice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import Model
from psycopg.sql import Composed, Identifier

from accounts.lib import sql


def columns(model: type[Model], alias: str) -> Composed:
    """All columns of the model, for a statement in which its table has this alias."""
    names = [Identifier(alias, str(field.column)) for field in model._meta.concrete_fields]
    return Composed(names).join(", ")


def read(statement: str, parameters: sql.Parameters, *models: type[Model]) -> list[tuple[Any, ...]]:
    """Rows of the `columns` of the models, one model after the other, and of anything else behind these.

    An instance is None where its row was missing from an outer join.
    """
    return [_row(values, models) for values in sql.rows(statement, parameters)]


def _row(values: tuple[Any, ...], models: tuple[type[Model], ...]) -> tuple[Any, ...]:
    rest = iter(values)
    made = [_instance(model, list(islice(rest, len(model._meta.concrete_fields)))) for model in models]
    return *made, *rest


def _instance(model: type[Model], values: list[Any]) -> Model | None:
    names, key = _fields(model)
    return None if values[key] is None else model.from_db(DEFAULT_DB_ALIAS, names, values)


@cache
def _fields(model: type[Model]) -> tuple[list[str], int]:
    """The names of the fields, and the place of the primary key."""
    fields = model._meta.concrete_fields
    if any(field.get_db_converters(connection) for field in fields):
        raise TypeError(f"{model.__name__} has fields whose values Django converts.")
    return [field.attname for field in fields], fields.index(model._meta.pk)
