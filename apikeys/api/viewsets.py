from datetime import timedelta
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.credentials import credential_of, organization_of
from apikeys import keys
from apikeys.api.serializers import (
    EXAMPLE,
    EXAMPLE_REQUEST,
    ApiKeySerializer,
    CreateApiKeySerializer,
    CreatedApiKeySerializer,
    RotateSerializer,
    UpdateApiKeySerializer,
)
from apikeys.authentication import key_of
from apikeys.models import ApiKey

STATUSES = ("active", "disabled", "expired", "revoked")
EXAMPLES = [
    OpenApiExample("Create API key", EXAMPLE_REQUEST, request_only=True),
    OpenApiExample("Created", EXAMPLE, response_only=True, status_codes=["201"]),
]


class ApiKeyFilter(django_filters.FilterSet):
    status = django_filters.ChoiceFilter(choices=[(one, one) for one in STATUSES], method="having")
    environment = django_filters.ChoiceFilter(choices=ApiKey.Environment.choices)
    search = django_filters.CharFilter(field_name="name", lookup_expr="icontains", label="A part of the name")

    class Meta:
        model = ApiKey
        fields: list[str] = []

    def having(self, found: Any, name: str, value: str) -> QuerySet[ApiKey]:
        return found.with_status(value, timezone.now())  # type: ignore[no-any-return]


class ApiKeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[ApiKey]):
    """The API keys of the current organization. DELETE revokes."""

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
        mine = ApiKey.objects.of(organization_of(self.request))
        return (
            mine.select_related("organization", "created_by").prefetch_related("secrets").order_by("-created_at", "-pk")
        )

    @extend_schema(request=CreateApiKeySerializer, responses={201: CreatedApiKeySerializer}, examples=EXAMPLES)
    def create(self, request: Request) -> Any:
        """Make a key. The answer is the only place where its secret is shown."""
        serializer = CreateApiKeySerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        keys.check_permissions(serializer.validated_data.get("permissions", []), credential_of(request).scopes)

        def effect() -> Response:
            key, secret = keys.create(
                organization_of(request),
                created_by=credential_of(request).user,
                maker=key_of(credential_of(request)),
                **serializer.validated_data,
            )
            return _with_secret(key, secret, status.HTTP_201_CREATED)

        return idempotency.once(request, effect, secrets=("api_key",))

    @extend_schema(request=UpdateApiKeySerializer, responses=ApiKeySerializer)
    def partial_update(self, request: Request, key_id: str) -> Response:
        """Change what is named, and leave the rest. `"enabled": false` disables the key, true enables it again."""
        key = self.get_object()
        serializer = UpdateApiKeySerializer(data=request.data, partial=True, context={"request": request})
        serializer.is_valid(raise_exception=True)
        credential, changes = credential_of(request), serializer.validated_data
        keys.check_permissions(changes.get("permissions", []), credential.scopes)
        if keys.widening(key, changes):
            keys.check_not_beyond(key, credential.scopes, by=key_of(credential))
        return Response(ApiKeySerializer(keys.update(key, changes, maker=key_of(credential))).data)

    @extend_schema(request=RotateSerializer, responses=CreatedApiKeySerializer)
    @action(detail=True, methods=["post"])
    def rotate(self, request: Request, key_id: str) -> Any:
        """A new secret for the same key; the present one works on for `overlap_seconds`."""
        key = self.get_object()
        serializer = RotateSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        overlap = timedelta(seconds=serializer.validated_data["overlap_seconds"])
        credential = credential_of(request)
        keys.check_not_beyond(key, credential.scopes, by=key_of(credential))
        return idempotency.once(
            request, lambda: _with_secret(key, keys.rotate(key, overlap), status.HTTP_200_OK), secrets=("api_key",)
        )

    def perform_destroy(self, instance: ApiKey) -> None:
        keys.revoke(instance)


def _with_secret(key: ApiKey, secret: str, code: int) -> Response:
    return Response(CreatedApiKeySerializer({"key": key, "secret": secret}).data, status=code)
