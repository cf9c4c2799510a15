"""The attempts to charge a card, and the purchase that begins one."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Subquery
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.api.filters import known_id
from accounts.credentials import credential_of, organization_of
from billing.api.fields import AmountSerializerField
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import own_payer
from billing.models import Payment
from billing.payments import payments


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    id = serializers.CharField(source="public_id", read_only=True)
    amount = AmountSerializerField(read_only=True)
    next_action_url = serializers.URLField(required=False)
    failure_code = serializers.CharField(required=False)

    class Meta:
        model = Payment
        fields = ["id", "status", "amount", "currency", "next_action_url", "failure_code", "created_at"]
        read_only_fields = fields

    def to_representation(self, instance: Payment) -> dict[str, Any]:
        """Leaves `next_action_url` and `failure_code` out when they are empty."""
        members = super().to_representation(instance)
        optional = ("next_action_url", "failure_code")
        return {name: value for name, value in members.items() if value or name not in optional}


class PurchaseSerializer(MoneySerializer):
    amount = AmountSerializerField()
    payment_method = serializers.CharField(max_length=40, required=False, allow_null=True, default=None)


class PaymentViewSet(mixins.ListModelMixin, GenericViewSet[Payment]):
    """The attempts to charge a card, newest first."""

    scopes = {"list": "billing:read"}
    serializer_class = PaymentSerializer
    queryset = Payment.objects.none()

    def get_queryset(self) -> QuerySet[Payment]:
        return Payment.objects.of(own_payer(self.request)).order_by("-created_at", "-pk")

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
        """Buy credits with a card on file. A decline is a 402 with the payment in its body."""
        serializer = PurchaseSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(organization_of(request), params)
        amount, method = params["amount"], params["payment_method"]

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
