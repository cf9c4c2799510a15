from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, status
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.lib import identifiers
from accounts.models import Organization
from billing import accounts
from billing.api.serializers import (
    AddPaymentMethodSerializer,
    AutoRechargeSerializer,
    ChangePaymentMethodSerializer,
    MeterSerializer,
    PaymentMethodSerializer,
    PaymentSerializer,
    PlanSerializer,
    PurchaseSerializer,
)
from billing.models import AutoRecharge, Meter, Payment, PaymentMethod, Plan
from billing.payments import methods, payments


def _payer(request: Request) -> Organization:
    """The organization of the request, which must be one that pays for itself."""
    organization = organization_of(request)
    accounts.find(organization)
    return organization


class PaymentMethodViewSet(
    PublicIdMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    GenericViewSet[PaymentMethod],
):
    """The cards on file. DELETE removes one."""

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
        return PaymentMethod.objects.of(_payer(self.request)).order_by("-created_at", "-pk")

    @extend_schema(request=ChangePaymentMethodSerializer, responses=PaymentMethodSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Make a card the default one."""
        card = self.get_object()
        ChangePaymentMethodSerializer(data=request.data).is_valid(raise_exception=True)
        return Response(PaymentMethodSerializer(methods.make_default(card)).data)

    def perform_destroy(self, instance: PaymentMethod) -> None:
        methods.remove(instance)

    @extend_schema(request=AddPaymentMethodSerializer, responses={201: PaymentMethodSerializer})
    def create(self, request: Request) -> Any:
        """Keep a card, by the token that the gateway's browser component gave."""
        serializer = AddPaymentMethodSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        token = serializer.validated_data["gateway_token"]

        def begin() -> str:
            accounts.required(organization_of(request))
            return identifiers.uuid7().hex

        def keep(id: str) -> Response:
            method = payments.add_method(organization_of(request), token, id=UUID(hex=id))
            return Response(PaymentMethodSerializer(method).data, status=status.HTTP_201_CREATED)

        return idempotency.in_two_steps(request, begin, keep)


class PaymentViewSet(mixins.ListModelMixin, GenericViewSet[Payment]):
    """The attempts to charge a card, newest first."""

    scopes = {"list": "billing:read"}
    serializer_class = PaymentSerializer
    queryset = Payment.objects.none()

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.of(_payer(self.request)).order_by("-created_at", "-pk")


class PurchaseView(APIView):
    scopes = {"post": "credits:write"}

    @extend_schema(request=PurchaseSerializer, responses={201: PaymentSerializer, 402: PaymentSerializer})
    def post(self, request: Request) -> Any:
        """Buy credits with a card on file. A decline is a 402 with the payment."""
        serializer = PurchaseSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        amount, method = serializer.validated_data["amount"], serializer.validated_data["payment_method"]

        def begin() -> str:
            return payments.begin(
                organization_of(request), amount=amount, method=method, by=credential_of(request).id
            ).pk.hex

        return idempotency.in_two_steps(request, begin, _complete)


def _complete(payment_id: str) -> Response:
    payment = payments.complete(UUID(hex=payment_id))
    declined = payment.status == Payment.Status.FAILED
    code = status.HTTP_402_PAYMENT_REQUIRED if declined else status.HTTP_201_CREATED
    return Response(PaymentSerializer(payment).data, status=code)


class AutoRechargeView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses=AutoRechargeSerializer)
    def get(self, request: Request) -> Response:
        """What is to happen when the credits run low; switched off until it is set."""
        accounts.find(organization_of(request))
        mine = AutoRecharge.objects.of(organization_of(request)).select_related("payment_method").first()
        return Response(AutoRechargeSerializer(mine or AutoRecharge()).data)


class CatalogViewSet(mixins.ListModelMixin, GenericViewSet[Any]):
    """What is sold is the same for everyone, and open to anyone."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    limited_by_address = True


class PlanViewSet(CatalogViewSet):
    """The plans on offer."""

    serializer_class = PlanSerializer
    queryset = Plan.objects.filter(is_offered=True).prefetch_related("allowances__meter")


class MeterViewSet(CatalogViewSet):
    """What is counted, and what a unit of it costs in credits."""

    serializer_class = MeterSerializer
    queryset = Meter.objects.select_related("price").prefetch_related("price__tiers", "endpoint_prices")
