"""The cards on file."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import organization_of
from accounts.lib import identifiers
from billing import accounts
from billing.api.payers import own_payer
from billing.models import PaymentMethod
from billing.payments import methods


class PaymentMethodSerializer(serializers.ModelSerializer[PaymentMethod]):
    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = PaymentMethod
        fields = ["id", "brand", "last4", "exp_month", "exp_year", "is_default"]
        read_only_fields = fields


class AddPaymentMethodSerializer(serializers.Serializer[Any]):
    gateway_token = serializers.CharField(max_length=100)


class ChangePaymentMethodSerializer(serializers.Serializer[Any]):
    """Makes a card the default. To undo it, make another card the default."""

    is_default = serializers.BooleanField()

    def validate_is_default(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("Make another card the default instead.")
        return value


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
        "partial_update": "billing:write",
        "destroy": "billing:write",
    }
    serializer_class = PaymentMethodSerializer
    queryset = PaymentMethod.objects.none()
    id_prefix = "pm_"

    def get_queryset(self) -> QuerySet[PaymentMethod]:
        return PaymentMethod.objects.of(own_payer(self.request)).order_by("-created_at", "-pk")

    @extend_schema(request=ChangePaymentMethodSerializer, responses=PaymentMethodSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Make a card the default."""
        card = self.get_object()
        ChangePaymentMethodSerializer(data=request.data).is_valid(raise_exception=True)
        return Response(PaymentMethodSerializer(methods.make_default(card)).data)

    def perform_destroy(self, instance: PaymentMethod) -> None:
        methods.remove(instance)

    @extend_schema(request=AddPaymentMethodSerializer, responses={201: PaymentMethodSerializer})
    def create(self, request: Request) -> Any:
        """Add a card by the token that the gateway's browser component returned."""
        serializer = AddPaymentMethodSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = serializer.validated_data["gateway_token"]

        def begin() -> str:
            accounts.required(organization_of(request))
            return identifiers.uuid7().hex

        def keep(id: str) -> Response:
            method = methods.add(organization_of(request), token, id=UUID(hex=id))
            return Response(PaymentMethodSerializer(method).data, status=status.HTTP_201_CREATED)

        return idempotency.in_two_steps(request, begin, keep)
