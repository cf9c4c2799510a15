from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField, NumberField, SecondField
from accounts.lib import addresses
from accounts.lib.money import LARGEST, ZERO
from apikeys.models import ApiKey

LONGEST_LIST = 100
LONGEST_WINDOW_SECONDS = 86_400
LARGEST_RATE = 1_000_000
LONGEST_OVERLAP_SECONDS = 604_800

EXAMPLE_REQUEST = {
    "name": "Integration API Key",
    "permissions": ["messaging:send", "voice:call", "analytics:read"],
    "expires_at": "2024-01-01T00:00:00Z",
    "description": "API key for production integration",
}
EXAMPLE = {
    "key_id": "key_1234567890abcdef",
    "api_key": "sk_live_6a7b8c9d0e1f2g3h4i5j6k7l8m9n0o",
    "name": "Integration API Key",
    "created_at": "2023-07-15T10:30:00Z",
    "expires_at": "2024-01-01T00:00:00Z",
    "permissions": ["messaging:send", "voice:call", "analytics:read"],
}


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


NO_LIMIT = {"rate_limit": None, "rate_limit_window_seconds": None}


class WritableKeySerializer(serializers.ModelSerializer[ApiKey]):
    """What POST and PATCH have in common; PATCH changes what it names, and leaves the rest."""

    permissions = serializers.ListField(child=serializers.CharField(), max_length=LONGEST_LIST, required=False)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    expires_at = MomentField(required=False, allow_null=True)
    allowed_cidrs = serializers.ListField(child=CidrField(max_length=60), max_length=LONGEST_LIST, required=False)
    rate_limit = RateLimitSerializer(required=False, allow_null=True)
    monthly_budget = BudgetField(required=False, allow_null=True)

    class Meta:
        model = ApiKey
        fields = ["name", "permissions", "expires_at", "description", "allowed_cidrs", "rate_limit", "monthly_budget"]

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("The time is in the past.")
        return value

    def validate_allowed_cidrs(self, value: list[str]) -> list[str]:
        return list(dict.fromkeys(value))

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The two numbers of the limit as the model has them; null lifts it."""
        return {**attrs, **(attrs["rate_limit"] or NO_LIMIT)} if "rate_limit" in attrs else attrs


class CreateApiKeySerializer(WritableKeySerializer):
    environment = serializers.ChoiceField(ApiKey.Environment.choices, required=False, default="live")

    class Meta(WritableKeySerializer.Meta):
        fields = [*WritableKeySerializer.Meta.fields, "environment"]


class UpdateApiKeySerializer(WritableKeySerializer):
    enabled = serializers.BooleanField(required=False)

    class Meta(WritableKeySerializer.Meta):
        fields = [*WritableKeySerializer.Meta.fields, "enabled"]


class RotateSerializer(serializers.Serializer[Any]):
    """For how long the present secret works on; 0 ends it at once."""

    overlap_seconds = serializers.IntegerField(
        min_value=0, max_value=LONGEST_OVERLAP_SECONDS, required=False, default=86_400
    )


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key as it is listed: never its secret, only a hint of it."""

    key_id = serializers.CharField(source="public_id", read_only=True)
    hint = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    created_by = serializers.IntegerField(source="created_by_id", read_only=True, allow_null=True)
    created_at = SecondField()
    expires_at = SecondField(allow_null=True)
    rate_limit = serializers.SerializerMethodField()
    monthly_budget = BudgetField(read_only=True, allow_null=True)

    class Meta:
        model = ApiKey
        fields = [
            "key_id",
            "name",
            "created_at",
            "expires_at",
            "permissions",
            "description",
            "environment",
            "allowed_cidrs",
            "rate_limit",
            "monthly_budget",
            "hint",
            "status",
            "created_by",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = fields

    @extend_schema_field(str)
    def get_hint(self, key: ApiKey) -> str:
        newest = max(key.secrets.all(), key=lambda secret: secret.created_at)
        return newest.hint

    @extend_schema_field(serializers.ChoiceField(["active", "disabled", "expired", "revoked"]))
    def get_status(self, key: ApiKey) -> str:
        return key.status(timezone.now())

    @extend_schema_field(RateLimitSerializer(allow_null=True))
    def get_rate_limit(self, key: ApiKey) -> dict[str, int] | None:
        return dict(RateLimitSerializer(key).data) if key.rate_limit else None


class CreatedApiKeySerializer(serializers.Serializer[Any]):
    """The one answer that holds the secret; a replay of it has null there."""

    key_id = serializers.CharField(source="key.public_id")
    api_key = serializers.CharField(source="secret", allow_null=True)
    name = serializers.CharField(source="key.name")
    created_at = SecondField(source="key.created_at")
    expires_at = SecondField(source="key.expires_at", allow_null=True)
    permissions = serializers.ListField(source="key.permissions", child=serializers.CharField())
