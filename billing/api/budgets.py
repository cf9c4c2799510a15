"""The monthly budget of an organization. A key's budget is a member of the key."""

from datetime import date
from typing import Any

from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency, naming, tree
from accounts.credentials import credential_of
from accounts.lib.addresses import client_address
from accounts.lib.money import LARGEST, ZERO
from accounts.models import Organization
from accounts.permissions import HasScopeOrPlatformKey
from billing import clock
from billing.api.fields import AmountSerializerField
from billing.api.money import MoneySerializer, check_currency
from billing.ledger import budgets

EXAMPLE = {"monthly_budget": 100, "month": "2026-01", "spent": 80.5, "held": 2, "left": 17.5}
ANSWER = OpenApiExample("budget", EXAMPLE, response_only=True, status_codes=["200"])
ID = OpenApiParameter("id", str, OpenApiParameter.PATH)


class SetBudgetSerializer(MoneySerializer):
    """Null removes the budget."""

    monthly_budget = AmountSerializerField(min_value=ZERO, max_value=LARGEST, allow_null=True)


class BudgetSerializer(serializers.Serializer[Any]):
    """The current month in the payer's billing zone: credits spent, and credits held by open holds."""

    monthly_budget = AmountSerializerField(allow_null=True)
    month = serializers.SerializerMethodField()
    spent = AmountSerializerField()
    held = AmountSerializerField()
    left = AmountSerializerField(allow_null=True)

    def get_month(self, state: budgets.BudgetState) -> str:
        month: date = state.month
        return f"{month:%Y-%m}"


class BudgetView(APIView):
    permission_classes = (HasScopeOrPlatformKey,)
    scopes = {"get": "account:read", "post": "account:write"}

    @extend_schema(parameters=[ID], responses=BudgetSerializer, examples=[ANSWER])
    def get(self, request: Request, id: str) -> Response:
        """This month's budget of the organization and everything beneath it, and how much is left."""
        organization = _organization(request, id)
        return Response(BudgetSerializer(budgets.of(organization, clock.now(organization))).data)

    @extend_schema(parameters=[ID], request=SetBudgetSerializer, responses=BudgetSerializer, examples=[ANSWER])
    def post(self, request: Request, id: str) -> Any:
        """Set or remove the budget. The caller must administer the organization or its parent."""
        organization = _organization(request, id)
        tree.check_administers(organization, credential_of(request))
        serializer = SetBudgetSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(organization, params)

        def effect() -> Response:
            now = clock.now(organization)
            limited = budgets.limit(organization, **params, now=now)
            return Response(BudgetSerializer(budgets.of(limited, now)).data)

        return idempotency.once(request, effect)


def _organization(request: Request, public_id: str) -> Organization:
    credential = credential_of(request)
    among = naming.visible_to(credential).select_related("root")
    return naming.named(credential, client_address(request), among, public_id=public_id)
