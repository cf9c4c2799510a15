from datetime import datetime, timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.fields import IntegerField, MomentField, NetworkField, SecondField
from accounts.api.filters import Filters
from accounts.credentials import credential_of, organization_of
from accounts.models import ServiceAccount, User
from apikeys import bounds, key_permissions, keys
from apikeys.api.fields import BudgetField, RateLimitSerializer
from apikeys.authentication import key_of
from apikeys.models import ApiKey

LONGEST_LIST = 100
NO_HOLDER = "The key needs a service_account that holds {}."


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


NO_LIMIT = {"rate_limit": None, "rate_limit_window_seconds": None}


class WritableKeySerializer(serializers.ModelSerializer[ApiKey]):
    """POST creates a key with these members. PATCH changes those that it contains."""

    permissions = serializers.ListField(child=serializers.CharField(), max_length=LONGEST_LIST, required=False)
    description = serializers.CharField(max_length=500, required=False, allow_blank=True)
    expires_at = MomentField(required=False, allow_null=True)
    allowed_cidrs = serializers.ListField(child=NetworkField(max_length=60), max_length=LONGEST_LIST, required=False)
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
        """Flatten the rate limit into the model's two fields; null removes it."""
        return {**attrs, **(attrs["rate_limit"] or NO_LIMIT)} if "rate_limit" in attrs else attrs


class CreateApiKeySerializer(WritableKeySerializer):
    """With a `service_account`, the key is that account's, and outlives the person who makes it."""

    environment = serializers.ChoiceField(ApiKey.Environment.choices, required=False, default="live")
    service_account = serializers.CharField(required=False, max_length=40, write_only=True)

    class Meta(WritableKeySerializer.Meta):
        fields = [*WritableKeySerializer.Meta.fields, "environment", "service_account"]

    def validate_service_account(self, value: str) -> User:
        accounts = ServiceAccount.objects.of(organization_of(self.context["request"])).living()
        account = next((account for account in accounts.select_related("user") if account.public_id == value), None)
        if account is None:
            raise serializers.ValidationError("There is no such service account.")
        return account.user


class UpdateApiKeySerializer(WritableKeySerializer):
    enabled = serializers.BooleanField(required=False)

    class Meta(WritableKeySerializer.Meta):
        fields = [*WritableKeySerializer.Meta.fields, "enabled"]


class RotateSerializer(serializers.Serializer[Any]):
    """How long the current secret keeps working; 0 ends it immediately."""

    overlap_seconds = IntegerField(min_value=0, max_value=LONGEST_OVERLAP_SECONDS, required=False, default=86_400)


class ApiKeySerializer(serializers.ModelSerializer[ApiKey]):
    """A key without its secret, of which only a `hint` is shown."""

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
    """The only response with the secret. A replayed response has null instead."""

    key_id = serializers.CharField(source="key.public_id")
    api_key = serializers.CharField(source="secret", allow_null=True)
    name = serializers.CharField(source="key.name")
    created_at = SecondField(source="key.created_at")
    expires_at = SecondField(source="key.expires_at", allow_null=True)
    permissions = serializers.ListField(source="key.permissions", child=serializers.CharField())


STATUSES = ("active", "disabled", "expired", "revoked")


EXAMPLES = [
    OpenApiExample("Create API key", EXAMPLE_REQUEST, request_only=True),
    OpenApiExample("Created", EXAMPLE, response_only=True, status_codes=["201"]),
]


class ApiKeyFilter(Filters):
    status = django_filters.ChoiceFilter(choices=[(status, status) for status in STATUSES], method="filter_status")
    environment = django_filters.ChoiceFilter(choices=ApiKey.Environment.choices)
    created_by = django_filters.NumberFilter(
        max_digits=18, decimal_places=0, min_value=1, label="The id of the person who created it"
    )
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="Part of the name")

    class Meta:
        model = ApiKey
        fields: list[str] = []

    def filter_status(self, queryset: Any, name: str, value: str) -> QuerySet[ApiKey]:
        return queryset.with_status(value, timezone.now())  # type: ignore[no-any-return]


class ApiKeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[ApiKey]):
    """The API keys of the current organization. DELETE revokes a key."""

    scopes = {
        "list": "keys:read",
        "retrieve": "keys:read",
        "create": "keys:write",
        "partial_update": "keys:write",
        "destroy": "keys:write",
        "rotate": "keys:write",
    }
    refusals = {"partial_update": (409,)}
    serializer_class = ApiKeySerializer
    filterset_class = ApiKeyFilter
    queryset = ApiKey.objects.none()
    lookup_field = "public_id"
    lookup_url_kwarg = "key_id"
    lookup_value_regex = "[a-z0-9_]{1,20}"

    def get_queryset(self) -> QuerySet[ApiKey]:
        keys = ApiKey.objects.of(organization_of(self.request)).order_by("-created_at", "-pk")
        return keys.select_related("organization", "created_by").prefetch_related("secrets")

    def get_object(self) -> ApiKey:
        key = super().get_object()
        if self.request.method not in SAFE_METHODS:
            bounds.check_environment(key, by=_maker(self.request))
        return key

    @extend_schema(request=CreateApiKeySerializer, responses={201: CreatedApiKeySerializer}, examples=EXAMPLES)
    def create(self, request: Request) -> Any:
        """Create a key. Only this response shows its secret."""
        serializer = CreateApiKeySerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        fields = dict(serializer.validated_data)
        credential, organization = credential_of(request), organization_of(request)
        creator = fields.pop("service_account", credential.user)
        key_permissions.check(fields.get("permissions", []), credential.granted)
        if credential.is_platform:
            held = key_permissions.held_by(creator, organization)
            key_permissions.check(fields.get("permissions", []), held, beyond=NO_HOLDER)

        def effect() -> Response:
            key, secret = keys.create(organization, created_by=creator, maker=_maker(request), **fields)
            return _with_secret(key, secret, status.HTTP_201_CREATED)

        return idempotency.once(request, effect, secrets=("api_key",))

    @extend_schema(request=UpdateApiKeySerializer, responses=ApiKeySerializer)
    def partial_update(self, request: Request, key_id: str) -> Response:
        """Change the given members only. `"enabled": false` disables the key, true enables it again."""
        key = self.get_object()
        serializer = UpdateApiKeySerializer(data=request.data, partial=True, context={"request": request})
        serializer.is_valid(raise_exception=True)
        credential, changes = credential_of(request), serializer.validated_data
        key_permissions.check(changes.get("permissions", []), credential.granted)
        if bounds.widening(key, changes):
            bounds.check_not_beyond(key, credential.granted, by=_maker(request))
        return Response(ApiKeySerializer(keys.update(key, changes, maker=_maker(request))).data)

    @extend_schema(request=RotateSerializer, responses=CreatedApiKeySerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, key_id: str) -> Any:
        """Replace the key's secret. The current one keeps working for `overlap_seconds`."""
        key = self.get_object()
        serializer = RotateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        overlap = timedelta(seconds=serializer.validated_data["overlap_seconds"])
        credential = credential_of(request)
        bounds.check_not_beyond(key, credential.granted, by=_maker(request))
        return idempotency.once(
            request, lambda: _with_secret(key, keys.rotate(key, overlap), status.HTTP_200_OK), secrets=("api_key",)
        )

    def perform_destroy(self, instance: ApiKey) -> None:
        keys.revoke(instance)


def _maker(request: Request) -> ApiKey | None:
    """The key that makes or changes another one, and whose restrictions apply to it. None for a platform key."""
    credential = credential_of(request)
    return None if credential.is_platform else key_of(credential)


def _with_secret(key: ApiKey, secret: str, code: int) -> Response:
    return Response(CreatedApiKeySerializer({"key": key, "secret": secret}).data, status=code)
