import re
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.credentials import credential_of
from accounts.lib import addresses, datetimes, mailboxes, numbers, texts
from accounts.lib.money import DIGITS, PLACES

DIGITS_ONLY = re.compile(r"-?[0-9]+")
LARGEST_OFFSET = 10**12  # of a list; PostgreSQL takes up to a bigint


class EmailField(serializers.EmailField):
    """An address, normalized before anything is checked: a letter may become two, and its length counts."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return mailboxes.normalize(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid")


class PrintableField(serializers.CharField):
    """Text without line breaks and other control characters."""

    def to_internal_value(self, data: Any) -> str:
        text = str(super().to_internal_value(data))
        if not texts.is_printable(text):
            raise serializers.ValidationError("Must contain printable characters only.")
        return text


class KnownMembers(serializers.Serializer[Any]):
    """Refuses members that it doesn't know: what is misspelt must not pass for being set."""

    def to_internal_value(self, data: Any) -> Any:
        unknown = data.keys() - self.fields.keys() if isinstance(data, Mapping) else set()
        if unknown:
            raise serializers.ValidationError({name: ["Unknown member."] for name in sorted(unknown)})
        return super().to_internal_value(data)


class NumberField(serializers.DecimalField):
    """In as a JSON number or a string of plain digits, out as a JSON number, exact both ways. At most nine decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=DIGITS, decimal_places=PLACES, coerce_to_string=False, **options)

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """An empty string is no number and no null. DRF's own field reads it as null."""
        return serializers.Field.validate_empty_values(self, data)

    def to_internal_value(self, data: Any) -> Decimal:
        bounds: dict[str, Any] = {"least": self.min_value, "most": self.max_value}
        try:
            return numbers.read(data, **{name: bound for name, bound in bounds.items() if bound is not None})
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from error


class IntegerField(serializers.IntegerField):
    """In as a JSON number, or a string of digits. DRF's own field also takes `１`, `1_000`, ` +1` and `5.`."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str) and not DIGITS_ONLY.fullmatch(data):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class NetworkField(serializers.CharField):
    """An IPv4 or IPv6 network, in its normal form; an address is a network of one."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return addresses.network(text)
        except ValueError as error:
            detail = f"{text[:50]!r} is not an IPv4 or IPv6 network, such as 203.0.113.0/24."
            raise serializers.ValidationError(detail) from error


class MomentField(serializers.DateTimeField):
    """A datetime or a date; without an offset it is read in the caller's time zone. Needs the `request` as context."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            if not isinstance(value, str):
                raise ValueError
            return datetimes.parse(value, credential_of(self.context["request"]).timezone)
        except ValueError as error:
            raise serializers.ValidationError(datetimes.EXPECTED) from error


class SecondField(serializers.DateTimeField):
    """A moment as PantheonCloud's API documents it: whole seconds in UTC, `2023-07-15T10:30:00Z`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"format": "%Y-%m-%dT%H:%M:%SZ", "read_only": True, **options})
