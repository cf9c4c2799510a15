"""JSON with exact numbers: nothing passes through a float, neither on the way in nor on the way out."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from json.encoder import encode_basestring
from typing import Any

import simplejson

from accounts.lib.money import plain

NAMES_REMEMBERED = 1000

# Stands for a number too close to zero for a Decimal. Every check of decimals refuses it.
TINY = Decimal("1e-999999")


class InvalidJson(ValueError):
    """The text is not JSON. The message goes after "The body is"."""


def loads(text: bytes | str) -> Any:
    """The value of a JSON text. Whole numbers are `int`, others `Decimal`; NaN and Infinity are refused.

    A number that is too large for a Decimal becomes an infinite one, so that the check of its field refuses it. A whole
    number of thousands of digits becomes a Decimal too.
    """
    try:
        try:
            return json.loads(text, cls=_decoder)  # type: ignore[arg-type]
        except (json.JSONDecodeError, UnicodeDecodeError, InvalidJson):
            raise
        except (ValueError, InvalidOperation):  # a number beyond what int() or Decimal() takes
            return json.loads(text, parse_float=_extreme, parse_int=_whole, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"not valid JSON: {error}") from error
    except UnicodeDecodeError as error:
        raise InvalidJson("not in UTF-8") from error
    except RecursionError as error:
        raise InvalidJson("nested too deeply") from error


def dumps_few(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """The same text as that of `dumps`, in a quarter of the time if there are a few members, of simple types."""
    try:
        return _text(value)
    except (KeyError, AttributeError):  # another type, or a name that is no text
        return dumps(value, default)


def _text(value: Any) -> str:
    return WRITERS[type(value)](value)


def _object(members: Mapping[str, Any]) -> str:
    return "{" + ", ".join([_label(name) + WRITERS[type(value)](value) for name, value in members.items()]) + "}"


@lru_cache(NAMES_REMEMBERED)
def _label(name: str) -> str:
    return f"{_quoted(name)}: "


def _quoted(text: str) -> str:
    if not text.isascii():
        raise KeyError(text)
    return encode_basestring(text)


# Functions that write a value of exactly this type.
WRITERS: dict[type, Callable[[Any], str]] = {
    str: _quoted,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    Decimal: plain,
    list: lambda values: "[" + ", ".join(map(_text, values)) + "]",
    dict: _object,
}


def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> str:
    """The JSON text of a value, its Decimals as plain digits. `default` converts what JSON has no form for."""

    def encode(value: Any) -> Any:
        if isinstance(value, Decimal):
            return simplejson.RawJSON(plain(value))
        if default is None:
            raise TypeError(f"{type(value).__name__} is not JSON")
        return default(value)

    text: str = simplejson.dumps(value, use_decimal=False, default=encode, ensure_ascii=False)
    return text


def _refuse(constant: str) -> None:
    raise InvalidJson(f"not valid JSON: {constant} is not a number")


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_constant=_refuse)


def _decoder() -> json.JSONDecoder:
    """Cached, because making a decoder takes longer than reading a small text."""
    return _DECODER


def _whole(text: str) -> int | Decimal:
    try:
        return int(text)
    except ValueError:
        return Decimal(text)


def _extreme(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:
        mantissa, _, exponent = text.lower().partition("e")
    sign = "-" if text.startswith("-") else ""
    if not mantissa.strip("-0."):
        return Decimal(0)
    return Decimal(f"{sign}{TINY}" if exponent.startswith("-") else f"{sign}Infinity")
