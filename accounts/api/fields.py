from datetime import datetime
from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.credentials import credential_of
from accounts.lib import datetimes, mailboxes
from accounts.lib.numbers import is_number

LARGEST_OFFSET = 10**12  # of a list; PostgreSQL takes up to a bigint


class EmailField(serializers.EmailField):
    """An address, normalized before anything is checked: a letter may become two, and its length counts."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return mailboxes.normalize(super().to_internal_value(data))
        except ValueError:
            self.fail("invalid")


class NumberField(serializers.DecimalField):
    """In as a JSON number or a decimal string, out as a JSON number, exact both ways."""

    def __init__(self, **options: Any) -> None:
        super().__init__(coerce_to_string=False, **options)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or (isinstance(data, str) and not is_number(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class MomentField(serializers.DateTimeField):
    """ISO 8601; a naive moment, or a mere date, is read in the caller's time zone. Needs the `request` as context."""

    def to_internal_value(self, value: Any) -> datetime:
        try:
            if not isinstance(value, str):
                raise ValueError
            return datetimes.parse(value, credential_of(self.context["request"]).timezone)
        except ValueError as error:
            raise serializers.ValidationError("Must be an ISO 8601 date or datetime.") from error


class SecondField(serializers.DateTimeField):
    """A moment as PantheonCloud's API documents it: whole seconds in UTC, `2023-07-15T10:30:00Z`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"format": "%Y-%m-%dT%H:%M:%SZ", "read_only": True, **options})
