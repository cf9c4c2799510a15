"""The fields of a call, each with its check and its schema: checks by hand are several times as fast as a serializer.

A check returns the value for `Call`, or raises `ValueError` with a sentence for the caller.
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.api.fields import IntegerField
from accounts.lib import addresses, numbers
from accounts.lib.money import LARGEST, ZERO
from billing.api.fields import AmountSerializerField
from usage.gate.verdict import LONGEST_HOLD_SECONDS


@dataclass(frozen=True)
class Field:
    check: Callable[[Any], Any]
    schema: serializers.Field[Any, Any, Any, Any]


def text(longest: int, *, required: bool = False, help_text: str = "") -> Field:
    def check(value: Any) -> str | None:
        if value is None and not required:
            return None
        if not isinstance(value, str) or not 1 <= len(value) <= longest or "\0" in value or not _is_utf8(value):
            raise ValueError(f"Expected text of 1 to {longest} characters.")
        return value

    schema = serializers.CharField(
        max_length=longest, required=required, allow_null=not required, help_text=help_text or None
    )
    return Field(check, schema)


def quantity() -> Field:
    def check(value: Any) -> Decimal:
        return numbers.read(value, least=ZERO, most=LARGEST)

    return Field(check, AmountSerializerField(required=False, default=Decimal(1), min_value=ZERO, max_value=LARGEST))


def address(*, help_text: str) -> Field:
    def check(value: Any) -> str | None:
        if value is None:
            return None
        canonical = addresses.canonical(value) if isinstance(value, str) else None
        if canonical is None:
            raise ValueError("Expected an IPv4 or IPv6 address.")
        return canonical

    return Field(check, serializers.IPAddressField(required=False, allow_null=True, help_text=help_text))


def seconds(most: int, *, help_text: str) -> Field:
    def check(value: Any) -> int | None:
        if value is None:
            return None
        if type(value) is not int or not 1 <= value <= most:
            raise ValueError(f"Expected a whole number from 1 to {most}.")
        return int(value)

    schema = IntegerField(required=False, allow_null=True, min_value=1, max_value=most, help_text=help_text)
    return Field(check, schema)


def _is_utf8(text: str) -> bool:
    """Without lone halves of surrogate pairs, which JSON can escape and PostgreSQL can't store."""
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


FIELDS = {
    "key": text(255, required=True, help_text="The secret that the customer presented"),
    "permission": text(100),
    "meter": text(50),
    "quantity": quantity(),
    "ip": address(help_text="Where the customer's call came from"),
    "hold_seconds": seconds(LONGEST_HOLD_SECONDS, help_text="Seconds to hold the cost"),
}
