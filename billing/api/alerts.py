"""When an account is to be told that its credits run low."""

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
    """The balance below which it is low; null, where it never is."""

    low_balance = AmountSerializerField(min_value=ZERO, max_value=LARGEST, allow_null=True)


class AlertsView(APIView):
    scopes = {"get": "credits:read", "put": "credits:write"}

    @extend_schema(responses=AlertsSerializer)
    def get(self, request: Request) -> Response:
        """Below which balance there is an event that says so."""
        accounts.find(organization_of(request))
        mine = LedgerAccount.objects.of(organization_of(request)).first()
        return _answer(mine.low_balance if mine else None)

    @extend_schema(request=AlertsSerializer, responses=AlertsSerializer)
    def put(self, request: Request) -> Response:
        """Name that balance, or none. Where it is low already, the event comes at once."""
        organization: Organization = organization_of(request)
        accounts.find(organization)
        serializer = AlertsSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        low_balance = serializer.validated_data["low_balance"]
        thresholds.watch(organization, low_balance)
        return _answer(low_balance)


def _answer(low_balance: Decimal | None) -> Response:
    return Response(AlertsSerializer({"low_balance": low_balance}).data)
