from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency, service_accounts
from accounts.api.fields import IntegerField
from accounts.api.filters import Filters
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.models import ServiceAccount
from apikeys import departures

EXAMPLE = {
    "id": "svc_0199f0c2a1b27c3d8e4f5a6b7c8d9e0f",
    "name": "Deployment",
    "role": "developer",
    "responsible": 7,
    "created_at": "2026-01-15T08:30:00Z",
}


class ServiceAccountSerializer(serializers.ModelSerializer[ServiceAccount]):
    """A member without a sign-in. `responsible` is the person to ask about it."""

    id = serializers.CharField(source="public_id", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)
    role = serializers.SerializerMethodField()
    responsible = serializers.IntegerField(source="responsible_id", read_only=True, allow_null=True)

    class Meta:
        model = ServiceAccount
        fields = ["id", "name", "role", "responsible", "created_at"]
        read_only_fields = fields

    def get_role(self, account: ServiceAccount) -> str:
        return account.user.memberships.get().role


class NewServiceAccountSerializer(serializers.Serializer[Any]):
    name = serializers.CharField(max_length=100)
    role = serializers.ChoiceField(service_accounts.ROLES)
    responsible = IntegerField(required=False, allow_null=True, default=None, min_value=1, max_value=2**62)


class ServiceAccountViewSet(
    PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[ServiceAccount]
):
    """The service accounts of the current organization. `POST /v1/account/api-keys` makes keys for them."""

    scopes = {"list": "members:read", "retrieve": "members:read", "create": "members:write", "destroy": "members:write"}
    serializer_class = ServiceAccountSerializer
    filterset_class = Filters
    queryset = ServiceAccount.objects.none()
    id_prefix = "svc_"

    def get_queryset(self) -> QuerySet[ServiceAccount]:
        accounts = ServiceAccount.objects.of(organization_of(self.request)).living()
        return accounts.select_related("user").prefetch_related("user__memberships").order_by("-created_at", "-pk")

    @extend_schema(
        request=NewServiceAccountSerializer,
        responses={201: ServiceAccountSerializer},
        examples=[
            OpenApiExample("new", {"name": "Deployment", "role": "developer"}, request_only=True),
            OpenApiExample("made", EXAMPLE, response_only=True, status_codes=["201"]),
        ],
    )
    def create(self, request: Request) -> Any:
        """Make a service account with a role that holds nothing that the caller lacks; never an owner."""
        serializer = NewServiceAccountSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)

        def effect() -> Response:
            account = service_accounts.create(
                organization_of(request), by=credential_of(request), now=timezone.now(), **serializer.validated_data
            )
            return Response(ServiceAccountSerializer(account).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)

    def destroy(self, request: Request, id: str) -> Response:
        """Remove it, and revoke its keys. Its role can't have scopes that the caller lacks."""
        with transaction.atomic():
            departures.remove_service_account(self.get_object(), by=credential_of(request), now=timezone.now())
        return Response(status=status.HTTP_204_NO_CONTENT)
