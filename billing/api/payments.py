"""Payments: attempts to take money. A purchase begins one."""

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import QuerySet, Subquery
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.fields import PrintableField
from accounts.api.filters import CreatedFilter, known_id
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.permissions import PlatformKey
from billing.api.fields import AmountSerializerField, PositiveAmountField
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import own_payer
from billing.models import Payment, Refund
from billing.payments import payments, purchases, refunding, refunds

OPTIONAL = ("next_action_url", "failure_code", "decline_code")


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    """`amount` is in credits; `total` is what the card is charged, including `tax`."""

    id = serializers.CharField(source="public_id", read_only=True)
    amount = AmountSerializerField(read_only=True)
    tax = AmountSerializerField(read_only=True)
    total = AmountSerializerField(read_only=True)
    refunded = AmountSerializerField(read_only=True)
    disputed = AmountSerializerField(read_only=True)
    payment_method = serializers.CharField(source="method.public_id", default=None, allow_null=True, read_only=True)
    invoice = serializers.CharField(source="invoice.public_id", default=None, allow_null=True, read_only=True)
    next_action_url = serializers.CharField(source="action_url", required=False)
    failure_code = serializers.CharField(required=False)
    decline_code = serializers.CharField(required=False)

    class Meta:
        model = Payment
        fields = [
            *("id", "status", "purpose", "amount", "tax", "total", "currency", "refunded", "disputed"),
            *("payment_method", "invoice", "next_action_url", "failure_code", "decline_code", "created_at"),
        ]
        read_only_fields = fields

    def to_representation(self, instance: Payment) -> dict[str, Any]:
        """Leaves `next_action_url`, `failure_code` and `decline_code` out when they are empty."""
        members = super().to_representation(instance)
        return {name: value for name, value in members.items() if value or name not in OPTIONAL}


class CardSerializer(MoneySerializer):
    """Pays with the default card unless `payment_method` or the gateway's `checkout` page is given."""

    payment_method = serializers.CharField(max_length=40, required=False, allow_null=True, default=None)
    checkout = serializers.BooleanField(default=False, help_text="Return the URL of a page to pay on")
    return_url = serializers.URLField(max_length=500, required=False, help_text="Where the page redirects to")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs["checkout"] and attrs["payment_method"]:
            raise serializers.ValidationError({"payment_method": "Can't be combined with checkout."})
        if "return_url" in attrs and not attrs["checkout"]:
            raise serializers.ValidationError({"return_url": "Only used with checkout."})
        return attrs


class PurchaseSerializer(CardSerializer):
    amount = AmountSerializerField()


class RefundSerializer(serializers.ModelSerializer[Refund]):
    """`amount` is the credits taken back; `total` is the money refunded, including its share of the tax."""

    id = serializers.CharField(source="public_id", read_only=True)
    payment = serializers.CharField(source="payment.public_id", read_only=True)
    amount = AmountSerializerField(read_only=True)
    total = AmountSerializerField(read_only=True)

    class Meta:
        model = Refund
        fields = ["id", "payment", "status", "amount", "total", "reason", "created_at"]
        read_only_fields = fields


class RefundPaymentSerializer(MoneySerializer):
    """`amount` is in credits; by default, all that is left of the payment. `force` also takes credits already spent."""

    amount = PositiveAmountField(required=False)
    reason = PrintableField(max_length=200)
    force = serializers.BooleanField(default=False)


class PaymentFilter(CreatedFilter):
    status = django_filters.ChoiceFilter(choices=Payment.Status.choices)
    purpose = django_filters.ChoiceFilter(choices=Payment.Purpose.choices)

    class Meta:
        model = Payment
        fields: list[str] = []


class PaymentViewSet(PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Payment]):
    """Payments, newest first. Each is one attempt to charge a card."""

    scopes = {"list": "billing:read", "retrieve": "billing:read", "cancel": "credits:write", "refunds": "credits:write"}
    refusals = {"cancel": (409,), "refunds": (404, 409)}
    serializer_class = PaymentSerializer
    filterset_class = PaymentFilter
    queryset = Payment.objects.none()
    id_prefix = "pay_"

    def get_permissions(self) -> list[Any]:
        """Customers see and cancel their payments. Only the company refunds them."""
        return [PlatformKey()] if self.action == "refunds" else [*super().get_permissions()]

    def get_queryset(self) -> QuerySet[Payment]:
        payments = Payment.objects.select_related("method", "organization", "invoice").order_by("-created_at", "-pk")
        if credential_of(self.request).is_platform and self.action == "refunds":
            return payments
        return payments.of(own_payer(self.request))

    @extend_schema(request=None, responses=PaymentSerializer)
    @action(detail=True, methods=["post"])
    def cancel(self, request: Request, id: str) -> Any:
        """Cancel a payment that is pending or needs an action. If it was paid meanwhile, it has succeeded."""
        payment = payments.cancel(self.get_object())
        return Response(PaymentSerializer(payment).data)

    @extend_schema(request=RefundPaymentSerializer, responses={201: RefundSerializer})
    @action(detail=True, methods=["post"])
    def refunds(self, request: Request, id: str) -> Any:
        """Refund the card and take the credits back. 409 if the amount is more than is left of the payment."""
        payment = self.get_object()
        serializer = RefundPaymentSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(payment.organization, params)

        def begin() -> str:
            return refunds.begin(payment, actor=credential_of(request).id, **params).pk.hex

        def finish(refund_id: str) -> Response:
            refund = refunding.complete(UUID(hex=refund_id))
            return Response(RefundSerializer(refund).data, status=status.HTTP_201_CREATED)

        return idempotency.in_two_steps(request, begin, finish)

    def following(self, payments: QuerySet[Payment], id: str) -> QuerySet[Payment]:
        """Payments begun after the one with this id. They are begun one at a time, under the payer's lock."""
        known = known_id(self.get_queryset(), "pay_", id)
        if known:
            payments = payments.filter(created_at__gt=Subquery(Payment.objects.filter(pk=known).values("created_at")))
        return payments.order_by("created_at")


class PurchaseView(APIView):
    scopes = {"post": "credits:write"}

    @extend_schema(request=PurchaseSerializer, responses={201: PaymentSerializer, 402: PaymentSerializer})
    def post(self, request: Request) -> Any:
        """Buy credits with a card on file, or on a checkout page. A declined payment is returned with 402."""
        serializer = PurchaseSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(organization_of(request), params)

        def begin() -> str:
            return purchases.begin(
                organization_of(request),
                amount=params["amount"],
                method=params["payment_method"],
                checkout=params["checkout"],
                return_url=params.get("return_url", ""),
                by=credential_of(request).id,
            ).pk.hex

        return idempotency.in_two_steps(request, begin, complete)


def complete(payment_id: str) -> Response:
    """Take a payment as far as it goes, and answer with it. A decline is a 402."""
    payment = payments.complete(UUID(hex=payment_id))
    declined = payment.status == Payment.Status.FAILED
    code = status.HTTP_402_PAYMENT_REQUIRED if declined else status.HTTP_201_CREATED
    return Response(PaymentSerializer(payment).data, status=code)
