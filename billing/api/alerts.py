"""The balance below which an organization gets a `credits.low_balance` event."""

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
from billing import accounts
from billing.api.fields import AmountSerializerField
from billing.ledger import thresholds
from billing.models import LedgerAccount


class AlertsSerializer(serializers.Serializer[Any]):
    """The balance below which it is low. Null: there is no alert."""

    low_balance = AmountSerializerField(min_value=ZERO, max_value=LARGEST, allow_null=True)


class AlertsView(APIView):
    scopes = {"get": "credits:read", "put": "credits:write"}

    @extend_schema(responses=AlertsSerializer)
    def get(self, request: Request) -> Response:
        """The balance below which there is an event."""
        accounts.find(organization_of(request))
        ledger = LedgerAccount.objects.of(organization_of(request)).first()
        return _answer(ledger.low_balance if ledger else None)

    @extend_schema(request=AlertsSerializer, responses=AlertsSerializer)
    def put(self, request: Request) -> Response:
        """Set or remove that balance. If the balance is already low, the event comes at once."""
        organization: Organization = organization_of(request)
        accounts.find(organization)
        serializer = AlertsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        low_balance = serializer.validated_data["low_balance"]
        thresholds.set_low_balance(organization, low_balance)
        return _answer(low_balance)


def _answer(low_balance: Decimal | None) -> Response:
    return Response(AlertsSerializer({"low_balance": low_balance}).data)
