from decimal import Decimal
from typing import Any

from rest_framework import serializers

from accounts.models import User
from billing.money import DIGITS, PLACES, is_number


class AmountSerializerField(serializers.DecimalField):
    """Credits: in as a JSON number or a decimal string, out as a JSON number, exact both ways."""

    def __init__(self, **options: Any) -> None:
        super().__init__(max_digits=DIGITS, decimal_places=PLACES, coerce_to_string=False, **options)

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, bool) or (isinstance(data, str) and not is_number(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


def user_id(user: User | None) -> int | None:
    """The documented `user_id`: the person, or the creator of the key."""
    return user.pk if user else None
