from typing import Any

from rest_framework import serializers

from accounts.api.fields import NumberField
from accounts.lib import addresses
from accounts.lib.money import LARGEST, ZERO

LONGEST_WINDOW_SECONDS = 86_400


LARGEST_RATE = 1_000_000


class CidrField(serializers.CharField):
    """An IPv4 or IPv6 network; an address stands for itself. A bad one is named."""

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            network = addresses.network(text)
        except ValueError as error:
            raise serializers.ValidationError(f"{text[:50]!r} is not an IPv4 or IPv6 network.") from error
        if "%" in network:
            raise serializers.ValidationError(f"{text[:50]!r} has a zone, which no network has.")
        return network


class BudgetField(NumberField):
    """Credits that may be spent in a calendar month: from 0 to 10⁹, with nine decimals."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=ZERO, max_value=LARGEST, **options)


class RateLimitSerializer(serializers.Serializer[Any]):
    """At most `limit` calls in any `window_seconds`."""

    limit = serializers.IntegerField(source="rate_limit", min_value=1, max_value=LARGEST_RATE)
    window_seconds = serializers.IntegerField(
        source="rate_limit_window_seconds", min_value=1, max_value=LONGEST_WINDOW_SECONDS
    )
