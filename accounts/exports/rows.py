"""Rows in the format of exports: plain values, and public ids if there are some."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Field, Model, Q, QuerySet

from accounts.events.sealing import written
from accounts.exports.sections import Section
from accounts.lib import exact_json
from accounts.lib.spreadsheets import Cell
from accounts.models import User

Row = dict[str, Any]
NAMES = ("public_id", "slug")  # the column with the public id, if a table has one


def past(rows: QuerySet[Any], order: Sequence[str], key: Sequence[Any] | None) -> QuerySet[Any]:
    """The rows after this key, in the order of its columns."""
    if key is None:
        return rows.order_by(*order)
    condition = Q()
    for place, name in enumerate(order):
        equal = dict(zip(order[:place], key, strict=False))
        condition |= Q(**equal, **{f"{name}__gt": key[place]})
    return rows.filter(Q(**{f"{order[0]}__gte": key[0]}) & condition).order_by(*order)


def key_of(row: Model, order: Sequence[str]) -> list[Any]:
    return [value(getattr(row, name)) for name in order]


def plain(rows: Sequence[Model], section: Section[Any]) -> list[Row]:
    """The rows' columns by name, but for those that the section leaves out."""
    if not rows:
        return []
    model = type(rows[0])
    fields = [field for field in model._meta.concrete_fields if _is_shown(field, section)]
    names = {field.name: _names(field, rows) for field in fields if field.is_relation}
    return [_plain(row, fields, names) for row in rows]


def _is_shown(field: Field[Any, Any], section: Section[Any]) -> bool:
    is_raw_id = field.primary_key and not field.is_relation and _has_made_id(field.model)
    return not is_raw_id and field.name not in section.without and field.column is not None


def _has_made_id(model: type[Model]) -> bool:
    """Whether its public id is made of its primary key."""
    return isinstance(getattr(model, "public_id", None), property)


def _plain(row: Model, fields: Sequence[Field[Any, Any]], names: dict[str, dict[Any, Any]]) -> Row:
    made: Row = {"id": row.public_id} if _has_made_id(type(row)) else {}  # type: ignore[attr-defined]
    for field in fields:
        held = getattr(row, field.attname)
        made[field.name] = names[field.name].get(held) if field.is_relation else value(held)
    return made


def _names(field: Field[Any, Any], rows: Iterable[Model]) -> dict[Any, Any]:
    """The public ids of the rows that a foreign key refers to, by primary key."""
    related: Any = field.related_model
    keys = {getattr(row, field.attname) for row in rows} - {None}
    if related is User:
        return {key: f"user:{key}" for key in keys}
    if _has_made_id(related):
        return {key: related(pk=key).public_id for key in keys}
    column = next((name for name in NAMES if name in {each.name for each in related._meta.concrete_fields}), None)
    if column is None:
        return {key: value(key) for key in keys}
    return dict(related._default_manager.filter(pk__in=keys).values_list("pk", column))


def value(held: Any) -> Any:
    """The value for JSON. Decimals keep their digits."""
    match held:
        case datetime():
            return written(held)
        case date() | UUID():
            return str(held)
        case timedelta():
            return held.total_seconds()
        case bytes() | memoryview():
            return bytes(held).hex()
        case list() | tuple():
            return [value(each) for each in held]
    return held


def cell(shown: Any) -> Cell:
    match shown:
        case None | str() | Decimal():
            return shown
        case bool() | list() | dict() | float():
            return exact_json.dumps(shown)
    return int(shown)
