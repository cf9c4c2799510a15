"""The account at a glance, as PantheonCloud documents it: `/v1/account/details`."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.fields import SecondField
from accounts.credentials import organization_of
from accounts.lib.money import ZERO
from accounts.models import Organization
from billing import accounts, clock
from billing.api.fields import AmountSerializerField
from billing.invoicing import subscriptions
from billing.ledger import billing_zone
from billing.models import AutoRecharge, Meter, Plan, PlanAllowance, Subscription
from usage.reporting import totals

FREE_PLAN = "developer"

EXAMPLE = {
    "account_id": "acct_1234567890",
    "account_name": "Example Corp",
    "created_at": "2022-01-15T08:30:00Z",
    "plan": "professional",
    "status": "active",
    "usage": {
        "sms": {"current": 4500, "limit": 10000, "period": "monthly"},
        "voice": {"current": 1200, "limit": 5000, "period": "monthly"},
    },
    "billing": {"next_billing_date": "2023-08-01T00:00:00Z", "currency": "USD", "automatic_payments": True},
}


class MeterUsageSerializer(serializers.Serializer[Any]):
    current = AmountSerializerField(help_text="This month's usage, in the meter's unit")
    limit = AmountSerializerField(allow_null=True, help_text="What the plan includes; null if it includes none")
    period = serializers.ChoiceField(["monthly"])


@extend_schema_field(serializers.DictField(child=MeterUsageSerializer()))
class UsageField(serializers.DictField):
    """Not validated: the sum of a month may have more digits than an amount."""


class BillingSerializer(serializers.Serializer[Any]):
    next_billing_date = SecondField(allow_null=True)
    currency = serializers.CharField(help_text="ISO 4217; empty until it is fixed")
    automatic_payments = serializers.BooleanField()


class AccountDetailsSerializer(serializers.Serializer[Any]):
    account_id = serializers.CharField()
    account_name = serializers.CharField()
    created_at = SecondField()
    plan = serializers.CharField()
    status = serializers.ChoiceField(Organization.Status.choices)
    usage = UsageField()
    billing = BillingSerializer()


def account_details(organization: Organization, now: datetime) -> dict[str, Any]:
    """The documented object. Plan and limits are the payer's; usage is that of the organization and all beneath it."""
    subscription = subscriptions.live(organization.root)
    plan = subscription.plan if subscription else Plan.objects.filter(slug=FREE_PLAN, is_offered=True).first()
    return {
        "account_id": organization.public_id,
        "account_name": organization.name,
        "created_at": organization.created_at,
        "plan": plan.slug if plan else FREE_PLAN,
        "status": _status(organization),
        "usage": _usage(organization, plan, now),
        "billing": _billing(organization, subscription),
    }


def _status(organization: Organization) -> str:
    """Its own; `suspended` if it is active itself and something above it is not."""
    if organization.status != Organization.Status.ACTIVE or organization.is_operational:
        return organization.status
    return Organization.Status.SUSPENDED


def _usage(organization: Organization, plan: Plan | None, now: datetime) -> dict[str, Any]:
    """Every meter, in the month that counts for the payer's prices, which is made of whole quarters of an hour."""
    zone = billing_zone.of(organization)
    used = totals.by_meter(organization, *zone.bounds(zone.month_of(now)))
    limits = _limits(plan)
    return {
        meter: {"current": used.get(meter, ZERO), "limit": limits.get(meter), "period": "monthly"}
        for meter in Meter.objects.values_list("slug", flat=True)
    }


def _limits(plan: Plan | None) -> dict[str, Decimal]:
    allowances = PlanAllowance.objects.filter(plan=plan)
    return dict(allowances.values_list("meter__slug", "included_quantity"))


def _billing(organization: Organization, subscription: Subscription | None) -> dict[str, Any]:
    """Empty for a child: how its root pays is not for the child to see."""
    if not organization.is_root:
        return {"next_billing_date": None, "currency": "", "automatic_payments": False}
    account = accounts.find(organization)
    renews = subscription is not None and not subscription.cancel_at_period_end
    return {
        "next_billing_date": subscription.current_period_end if subscription and renews else None,
        "currency": account.currency if account else "",
        "automatic_payments": AutoRecharge.objects.of(organization).filter(enabled=True).exists(),
    }


class DetailsView(APIView):
    scopes = {"get": "account:read"}

    @extend_schema(
        responses=AccountDetailsSerializer,
        examples=[OpenApiExample("Account details", EXAMPLE, response_only=True, status_codes=["200"])],
    )
    def get(self, request: Request) -> Response:
        """The account: its plan, what it used this month of each meter, and when it is billed next."""
        details = account_details(organization_of(request), clock.now(organization_of(request)))
        return Response(AccountDetailsSerializer(details).data)
