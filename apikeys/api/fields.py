from typing import Any

from rest_framework import serializers

from accounts.api.fields import IntegerField, NumberField
from accounts.lib.money import LARGEST, ZERO
from apikeys.rate_limits import LARGEST_RATE, LONGEST_WINDOW_SECONDS


class BudgetField(NumberField):
    """Credits that a key may spend in a calendar month: 0 to 10⁹, with up to nine decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=ZERO, max_value=LARGEST, **options)


class RateLimitSerializer(serializers.Serializer[Any]):
    """At most `limit` calls in any `window_seconds`."""

    limit = IntegerField(source="rate_limit", min_value=1, max_value=LARGEST_RATE)
    window_seconds = IntegerField(source="rate_limit_window_seconds", min_value=1, max_value=LONGEST_WINDOW_SECONDS)
