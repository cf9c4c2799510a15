"""Parameters as the library sends them, read and checked against the library's own types.

A name that the library doesn't know, or that the API has removed, is a 400, as it is at Stripe.
"""

import re
import typing
from collections.abc import Iterable
from functools import cache
from importlib import import_module
from typing import Any, Literal, NotRequired, Required, Union, get_args, get_origin
from urllib.parse import parse_qsl

import stripe
from typing_extensions import is_typeddict

from tests.stripe.errors import invalid

_OPTIONS = frozenset(stripe.RequestOptions.__annotations__)
_REMOVED = {"payment_method_types": "payment_method_types_no_longer_supported"}


def parse(encoded: str) -> dict[str, Any]:
    """`a[b]=1&c[0]=2` is {"a": {"b": "1"}, "c": ["2"]}. Values stay text."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(encoded, keep_blank_values=True):
        *parents, last = re.findall(r"[^\[\]]+", name)
        node = tree
        for part in parents:
            node = node.setdefault(part, {})
        node[last] = value
    return {name: _lists(value) for name, value in tree.items()}


def _lists(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {name: _lists(each) for name, each in value.items()}
    return list(inner.values()) if all(name.isdecimal() for name in inner) and inner else inner


def check(params: dict[str, Any], type_name: str) -> None:
    """`type_name` is a class of `stripe.params`, such as `checkout.SessionCreateParams`."""
    _check_object(params, _type(type_name), "")


@cache
def _type(name: str) -> Any:
    folder, _, last = f"stripe.params.{name}".rpartition(".")
    return getattr(import_module(folder), last)


@cache
def _hints(typed: Any) -> dict[str, Any]:
    """The names given here are those of `RequestOptions`, which the classes inherit without importing them."""
    names = {"StripeContext": str, "Mapping": typing.Mapping}
    return typing.get_type_hints(typed, localns=names, include_extras=True)


def _check_object(value: Any, typed: Any, path: str) -> None:
    if not isinstance(value, dict):
        raise invalid("Invalid object", param=path)
    hints = {name: hint for name, hint in _hints(typed).items() if path or name not in _OPTIONS - {"expand"}}
    for name, inner in value.items():
        where = f"{path}[{name}]" if path else name
        if name not in hints:
            raise invalid(f"Received unknown parameter: {where}", _REMOVED.get(name, "parameter_unknown"), where)
        _check(inner, hints[name], where)
    required = {name for name, hint in hints.items() if get_origin(hint) is not NotRequired}
    for name in sorted(required & typed.__required_keys__ - set(value)):
        where = f"{path}[{name}]" if path else name
        raise invalid(f"Missing required param: {where}.", "parameter_missing", where)


def _check(value: Any, hint: Any, path: str) -> None:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (NotRequired, Required):
        _check(value, inner[0], path)
    elif origin is Union or type(hint).__name__ == "UnionType":
        _check_any(value, inner, path)
    elif is_typeddict(hint):
        _check_object(value, hint, path)
    elif origin is list:
        if not isinstance(value, list):
            raise invalid("Invalid array", param=path)
        for number, each in enumerate(value):
            _check(each, inner[0], f"{path}[{number}]")
    elif not _fits(value, hint, origin, inner):
        raise invalid(f"Invalid value for {path}: {value!r}", param=path)


def _check_any(value: Any, hints: Iterable[Any], path: str) -> None:
    errors = []
    for hint in hints:
        try:
            return _check(value, hint, path)
        except Exception as error:  # the last one is raised
            errors.append(error)
    raise errors[-1]


def _fits(value: Any, hint: Any, origin: Any, inner: tuple[Any, ...]) -> bool:
    if origin is dict:
        return isinstance(value, dict) or value == ""
    if not isinstance(value, str):
        return False
    if origin is Literal:
        return value in inner
    patterns = {int: r"-?\d+", bool: "true|false", float: r"-?\d+(\.\d+)?"}
    return bool(re.fullmatch(patterns.get(hint, "(?s:.*)"), value))
