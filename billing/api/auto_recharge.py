"""Auto-recharge: its settings, what will happen next, and why not."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import events
from accounts.api.fields import IntegerField
from accounts.credentials import credential_of, organization_of
from accounts.lib.money import LARGEST, ZERO
from accounts.models import Organization
from billing import accounts, clock
from billing.api.fields import AmountSerializerField, PositiveAmountField
from billing.api.money import MoneySerializer, check_currency
from billing.models import AutoRecharge
from billing.payments import recharge, recharge_sentence, recharge_settings


class AutoRechargeSerializer(serializers.ModelSerializer[AutoRecharge]):
    """`state` is a code; `sentence` explains it to people, and `description` what the settings do."""

    threshold = AmountSerializerField(read_only=True, allow_null=True)
    amount = AmountSerializerField(read_only=True, allow_null=True)
    target = AmountSerializerField(read_only=True, allow_null=True)
    monthly_limit = AmountSerializerField(read_only=True, allow_null=True)
    payment_method = serializers.CharField(
        source="payment_method.public_id", read_only=True, default=None, allow_null=True
    )
    state = serializers.CharField(read_only=True)
    sentence = serializers.CharField(read_only=True)
    description = serializers.CharField(read_only=True)
    next_attempt_at = serializers.DateTimeField(read_only=True, allow_null=True)
    spent_this_month = AmountSerializerField(read_only=True)

    class Meta:
        model = AutoRecharge
        fields = [
            *("enabled", "threshold", "amount", "target", "payment_method", "monthly_limit", "monthly_count"),
            *("state", "sentence", "description", "next_attempt_at", "spent_this_month"),
        ]
        read_only_fields = fields


class SetAutoRechargeSerializer(MoneySerializer):
    """Missing members are null. Each recharge buys `amount`, or as much as it takes to reach `target`."""

    enabled = serializers.BooleanField()
    threshold = AmountSerializerField(min_value=ZERO, max_value=LARGEST, allow_null=True, default=None)
    amount = PositiveAmountField(allow_null=True, default=None)
    target = PositiveAmountField(allow_null=True, default=None)
    payment_method = serializers.CharField(max_length=40, allow_null=True, default=None)
    monthly_limit = PositiveAmountField(allow_null=True, default=None)
    monthly_count = IntegerField(min_value=1, max_value=10_000, allow_null=True, default=None)


class AutoRechargeView(APIView):
    scopes = {"get": "credits:read", "put": "credits:write"}

    @extend_schema(responses=AutoRechargeSerializer)
    def get(self, request: Request) -> Response:
        """The auto-recharge settings, and what will happen next. Off until set."""
        accounts.find(organization_of(request))
        return _answer(organization_of(request), clock.now(organization_of(request)))

    @extend_schema(request=SetAutoRechargeSerializer, responses=AutoRechargeSerializer)
    def put(self, request: Request) -> Response:
        """Save the settings. Turning it on while the balance is below the threshold charges the card immediately."""
        organization = organization_of(request)
        now = clock.now(organization)
        serializer = SetAutoRechargeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(organization, params)
        recharge_settings.change(organization, params, by=events.actor_of(credential_of(request)), now=now)
        recharge.run(organization, now)
        return _answer(organization, clock.now(organization))


class RetryView(APIView):
    scopes = {"post": "credits:write"}

    @extend_schema(request=None, responses=AutoRechargeSerializer)
    def post(self, request: Request) -> Any:
        """End a pause, and try the cards again if credits are low."""
        organization = organization_of(request)
        accounts.required(organization)
        recharge.retry(organization, clock.now(organization))
        return _answer(organization, clock.now(organization))


def _answer(organization: Organization, now: datetime) -> Response:
    settings, state = recharge.of(organization), recharge.assess(organization, now)
    body = AutoRechargeSerializer(settings).data
    spent, _ = recharge.spent_this_month(organization, now)
    return Response(
        {
            **body,
            "state": state.code,
            "sentence": state.sentence,
            "description": recharge_sentence.describe(vars(settings)),
            "next_attempt_at": state.next_attempt_at,
            "spent_this_month": spent,
        }
    )
