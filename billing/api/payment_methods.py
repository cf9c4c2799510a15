"""The cards on file."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.fields import KnownMembers
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.lib import identifiers
from billing import accounts, clock
from billing.api.payers import own_payer
from billing.models import PaymentMethod
from billing.payments import methods, saving_cards


class PaymentMethodSerializer(serializers.ModelSerializer[PaymentMethod]):
    id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.SerializerMethodField()

    class Meta:
        model = PaymentMethod
        fields = ["id", "brand", "last4", "exp_month", "exp_year", "status", "is_default", "is_backup"]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(PaymentMethod.Status.choices))
    def get_status(self, method: PaymentMethod) -> str:
        return method.status_on(clock.now(method.organization).date())


class AddPaymentMethodSerializer(KnownMembers):
    gateway_token = serializers.CharField(max_length=100)


class SetupSerializer(KnownMembers):
    return_url = serializers.URLField(max_length=500, required=False, help_text="Where the page redirects to")


class SetupPageSerializer(serializers.Serializer[Any]):
    """The gateway's page for saving a card."""

    id = serializers.CharField()
    url = serializers.CharField()
    expires_at = serializers.DateTimeField()


class ChangePaymentMethodSerializer(KnownMembers):
    """Makes a card the default, or the backup, which is charged if the default is declined."""

    is_default = serializers.BooleanField(required=False)
    is_backup = serializers.BooleanField(required=False)

    def validate_is_default(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("Make another card the default instead.")
        return value

    def validate(self, attrs: dict[str, bool]) -> dict[str, bool]:
        if not attrs:
            raise serializers.ValidationError({"is_default": "Specify is_default or is_backup."})
        if attrs.get("is_default") and attrs.get("is_backup"):
            raise serializers.ValidationError({"is_backup": "A card can't be both the default and the backup."})
        return attrs


class PaymentMethodViewSet(
    PublicIdMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    GenericViewSet[PaymentMethod],
):
    """The cards on file. DELETE removes a card."""

    scopes = {
        "list": "billing:read",
        "retrieve": "billing:read",
        "create": "billing:write",
        "open_page": "billing:write",
        "partial_update": "billing:write",
        "destroy": "billing:write",
    }
    serializer_class = PaymentMethodSerializer
    queryset = PaymentMethod.objects.none()
    id_prefix = "pm_"

    def get_queryset(self) -> QuerySet[PaymentMethod]:
        return (
            PaymentMethod.objects.of(own_payer(self.request))
            .select_related("organization")
            .order_by("-created_at", "-pk")
        )

    @extend_schema(request=ChangePaymentMethodSerializer, responses=PaymentMethodSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Make a card the default or the backup, or stop using it as the backup."""
        method = self.get_object()
        serializer = ChangePaymentMethodSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        return Response(PaymentMethodSerializer(methods.change(method, serializer.validated_data)).data)

    def perform_destroy(self, instance: PaymentMethod) -> None:
        methods.remove(instance)

    @extend_schema(request=AddPaymentMethodSerializer, responses={201: PaymentMethodSerializer})
    def create(self, request: Request) -> Any:
        """Add a card with the token from the gateway's browser component."""
        serializer = AddPaymentMethodSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = serializer.validated_data["gateway_token"]

        def begin() -> str:
            accounts.required(organization_of(request))
            return identifiers.uuid7().hex

        def keep(id: str) -> Response:
            method = saving_cards.add(organization_of(request), token, by=credential_of(request).id, id=UUID(hex=id))
            return Response(PaymentMethodSerializer(method).data, status=status.HTTP_201_CREATED)

        return idempotency.in_two_steps(request, begin, keep)

    @extend_schema(request=SetupSerializer, responses={201: SetupPageSerializer})
    @action(detail=False, methods=["post"], url_path="setup")
    def open_page(self, request: Request) -> Response:
        """Open the gateway's page for saving a card. It redirects to `return_url`, with `session` in the query."""
        serializer = SetupSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        organization = organization_of(request)
        own_page = f"{settings.BASE_URL}/o/{organization.public_id}/credits/cards/page/"
        return_url = serializer.validated_data.get("return_url", own_page)
        session = saving_cards.begin_setup(organization, return_url=return_url, by=credential_of(request).id)
        page = {"id": session.id, "url": session.url, "expires_at": session.expires_at}
        return Response(SetupPageSerializer(page).data, status=status.HTTP_201_CREATED)
