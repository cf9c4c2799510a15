from datetime import datetime
from typing import Any

from rest_framework import serializers

from accounts.api.fields import NumberField
from accounts.lib import exact_json, jsonb
from accounts.lib.money import LARGEST, QUANTUM
from accounts.lib.problems import InvalidField
from accounts.models import User

METADATA_BYTES = 4000
METADATA_DEPTH = 5


class AmountSerializerField(NumberField):
    """Credits."""


class PositiveAmountField(AmountSerializerField):
    """More than zero, and at most 10⁹."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": QUANTUM, "max_value": LARGEST, **options})


class MetadataField(serializers.DictField):
    """A JSON object of the caller's, stored as it is, up to a size and a depth."""

    def to_internal_value(self, data: Any) -> dict[Any, Any]:
        metadata: dict[Any, Any] = super().to_internal_value(data)
        if not jsonb.is_storable(metadata, METADATA_DEPTH):
            raise serializers.ValidationError(f"No NUL, no lone surrogates, at most {METADATA_DEPTH} deep.")
        if len(exact_json.dumps(metadata).encode()) > METADATA_BYTES:
            raise serializers.ValidationError(f"At most {METADATA_BYTES} bytes of JSON.")
        return metadata


def check_future(name: str, moment: datetime | None, now: datetime) -> None:
    """Refuse a past datetime. Call it in the idempotent effect, so that a retry later gets its first answer."""
    if moment and moment <= now:
        raise InvalidField(name, "Must be in the future.")


def user_id(user: User | None) -> int | None:
    """The documented `user_id`: the person, or the creator of the key."""
    return user.pk if user else None
