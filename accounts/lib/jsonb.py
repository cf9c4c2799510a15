"""What PostgreSQL's jsonb can keep of a caller's JSON: asked before any SQL, so that nothing fails on the way in."""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import simplejson
from psycopg.types.json import Jsonb

NUMBER_DIGITS = 1000  # before the point, and after it

_dumps = partial(simplejson.dumps, use_decimal=True)


class Encoder(simplejson.JSONEncoder):
    """Of a model's field: its Decimals are written digit by digit."""


class Decoder(json.JSONDecoder):
    """Of a model's field: numbers with a point are read as Decimals."""

    def __init__(self) -> None:
        super().__init__(parse_float=Decimal)


def parameter(value: Any) -> Jsonb:
    """JSON for a statement, its Decimals written digit by digit."""
    return Jsonb(value, dumps=_dumps)


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
