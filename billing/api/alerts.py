"""The balance below which an organization gets a `credits.low` event."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.credentials import organization_of
from accounts.lib.money import LARGEST, ZERO
from accounts.models import Organization
from billing import accounts, clock
from billing.api.fields import AmountSerializerField
from billing.api.money import MoneySerializer, check_currency
from billing.ledger import thresholds
from billing.models import LedgerAccount


class SetAlertsSerializer(MoneySerializer):
    """The balance below which it counts as low. Null removes the alert."""

    low_balance = AmountSerializerField(min_value=ZERO, max_value=LARGEST, allow_null=True)


class AlertsSerializer(serializers.Serializer[Any]):
    low_balance = AmountSerializerField(allow_null=True)


class AlertsView(APIView):
    scopes = {"get": "credits:read", "put": "credits:write"}

    @extend_schema(responses=AlertsSerializer)
    def get(self, request: Request) -> Response:
        """The balance below which a `credits.low` event is sent."""
        accounts.find(organization_of(request))
        ledger = LedgerAccount.objects.of(organization_of(request)).first()
        return _answer(ledger.low_balance if ledger else None)

    @extend_schema(request=SetAlertsSerializer, responses=AlertsSerializer)
    def put(self, request: Request) -> Response:
        """Set or remove the low-balance alert. If the balance is already low, the event is sent immediately."""
        organization: Organization = organization_of(request)
        accounts.find(organization)
        serializer = SetAlertsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(organization, params)
        low_balance = params["low_balance"]
        thresholds.set_low_balance(organization, low_balance, now=clock.now(organization))
        return _answer(low_balance)


def _answer(low_balance: Decimal | None) -> Response:
    return Response(AlertsSerializer({"low_balance": low_balance}).data)
