"""Checks, before any SQL, that PostgreSQL's jsonb can store a caller's JSON. Otherwise the statement would fail."""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from psycopg.types.json import Jsonb

from accounts.lib import exact_json

NUMBER_DIGITS = 1000  # before the point, and after it


class Encoder(json.JSONEncoder):
    """For a model's field: writes its Decimals digit by digit."""

    def encode(self, value: Any) -> str:
        return exact_json.dumps(value)


class Decoder(json.JSONDecoder):
    """For a model's field: reads numbers with a point as Decimals."""

    def decode(self, text: str, *_: Any) -> Any:
        return exact_json.loads(text)


def parameter(value: Any) -> Jsonb:
    """A JSON parameter of a statement."""
    return Jsonb(value, dumps=exact_json.dumps)


def is_storable(value: Any, depth: int) -> bool:
    """Whether it is text without NUL or half a surrogate pair, numbers of a sane size, and at most `depth` deep."""
    if isinstance(value, str):
        return "\0" not in value and (value.isascii() or value.encode(errors="replace").decode() == value)
    if isinstance(value, Decimal):
        return value.is_finite() and max(value.adjusted(), -int(value.as_tuple().exponent)) < NUMBER_DIGITS
    if not isinstance(value, Mapping | list):
        return True
    parts = [part for pair in value.items() for part in pair] if isinstance(value, Mapping) else value
    return depth > 0 and all(is_storable(part, depth - 1) for part in parts)
