from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.credentials import credential_of, organization_of
from apikeys import keys
from apikeys.api.serializers import ApiKeySerializer, CreateApiKeySerializer, CreatedApiKeySerializer
from apikeys.models import ApiKey


class ApiKeyViewSet(mixins.ListModelMixin, mixins.RetrieveModelMixin, mixins.DestroyModelMixin, GenericViewSet[ApiKey]):
    """The API keys of the current organization. DELETE revokes."""

    scopes = {"list": "keys:read", "retrieve": "keys:read", "create": "keys:write", "destroy": "keys:write"}
    serializer_class = ApiKeySerializer
    queryset = ApiKey.objects.none()
    lookup_field = "public_id"
    lookup_url_kwarg = "key_id"
    lookup_value_regex = "[a-z0-9_]{1,20}"

    def get_queryset(self) -> QuerySet[ApiKey]:
        mine = ApiKey.objects.of(organization_of(self.request))
        return mine.prefetch_related("secrets").order_by("-created_at", "-pk")

    @extend_schema(request=CreateApiKeySerializer, responses={201: CreatedApiKeySerializer})
    def create(self, request: Request) -> Any:
        """Make a key. The answer is the only place where its secret is shown."""
        serializer = CreateApiKeySerializer(data=request.data, context={"request": request})
        serializer.is_valid(raise_exception=True)
        keys.check_permissions(serializer.validated_data["permissions"], credential_of(request).scopes)

        def effect() -> Response:
            key, secret = keys.create(
                organization_of(request), created_by=credential_of(request).user, **serializer.validated_data
            )
            made = CreatedApiKeySerializer({"key": key, "secret": secret}).data
            return Response(made, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect, secrets=("api_key",))

    def perform_destroy(self, instance: ApiKey) -> None:
        keys.revoke(instance)
