from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField
from apikeys.models import ApiKey


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key as it is listed: never its secret, only a hint of it."""

    key_id = serializers.CharField(source="public_id", read_only=True)
    hint = serializers.SerializerMethodField()
    status = serializers.SerializerMethodField()
    permissions = serializers.ListField(child=serializers.CharField(max_length=100), max_length=100, required=False)
    created_by = serializers.IntegerField(source="created_by_id", read_only=True, allow_null=True)
    expires_at = serializers.DateTimeField(required=False, allow_null=True)

    class Meta:
        model = ApiKey
        fields = [
            "key_id",
            "name",
            "description",
            "environment",
            "permissions",
            "hint",
            "status",
            "created_by",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]
        read_only_fields = ["created_at", "last_used_at", "revoked_at"]

    @extend_schema_field(str)
    def get_hint(self, key: ApiKey) -> str:
        newest = max(key.secrets.all(), key=lambda secret: secret.created_at)
        return newest.hint

    @extend_schema_field(serializers.ChoiceField(["active", "disabled", "expired", "revoked"]))
    def get_status(self, key: ApiKey) -> str:
        return key.status(timezone.now())


class CreateApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    permissions = serializers.ListField(child=serializers.CharField(), max_length=100, required=False, default=list)
    environment = serializers.ChoiceField(ApiKey.Environment.choices, required=False, default="live")
    description = serializers.CharField(max_length=500, required=False, allow_blank=True, default="")
    expires_at = MomentField(required=False, allow_null=True, default=None)

    class Meta:
        model = ApiKey
        fields = ["name", "permissions", "expires_at", "description", "environment"]

    def validate_expires_at(self, value: datetime | None) -> datetime | None:
        if value is not None and value <= timezone.now():
            raise serializers.ValidationError("The time is in the past.")
        return value


class CreatedApiKeySerializer(serializers.Serializer[Any]):
    """The one answer that holds the secret; a replay of it has null there."""

    key_id = serializers.CharField(source="key.public_id")
    api_key = serializers.CharField(source="secret", allow_null=True)
    name = serializers.CharField(source="key.name")
    created_at = serializers.DateTimeField(source="key.created_at")
    expires_at = serializers.DateTimeField(source="key.expires_at", allow_null=True)
    permissions = serializers.ListField(source="key.permissions", child=serializers.CharField())
