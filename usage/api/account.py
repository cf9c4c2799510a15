"""Usage and summary, as the Account API documents them: `/auth/account/usage` and `/auth/account/summary`."""

from datetime import datetime
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.credentials import credential_of, organization_of
from accounts.lib import snapshot
from accounts.models import Organization, User
from billing import clock
from billing.api.account import CreditBalanceSerializer, credit_balance
from billing.api.fields import AmountSerializerField, user_id
from billing.api.subscriptions import SubscriptionSerializer
from billing.invoicing import subscriptions
from billing.ledger import posting
from billing.models import LedgerAccount
from usage.api import parameters
from usage.reporting import periods, totals


class UsageStatsSerializer(serializers.Serializer[Any]):
    user_id = serializers.IntegerField(allow_null=True)
    period = serializers.ChoiceField(periods.PERIODS)
    total_requests = serializers.IntegerField()
    successful_requests = serializers.IntegerField()
    failed_requests = serializers.IntegerField()
    credits_consumed = AmountSerializerField()
    requests_by_endpoint = serializers.DictField(child=serializers.IntegerField())
    period_start = serializers.DateTimeField()
    period_end = serializers.DateTimeField()


def usage_stats(
    organization: Organization,
    user: User | None,
    *,
    period: str,
    start: datetime,
    end: datetime,
    environment: str = "live",
) -> dict[str, Any]:
    """The UsageStats object of the organization and all beneath it."""
    used = totals.of(organization, start, end, environment)
    return {
        "user_id": user_id(user),
        "period": period,
        "total_requests": used.requests,
        "successful_requests": used.requests - used.failed,
        "failed_requests": used.failed,
        "credits_consumed": used.credits,
        "requests_by_endpoint": totals.by_endpoint(organization, start, end, environment),
        "period_start": start,
        "period_end": end,
    }


class UsageView(APIView):
    scopes = {"get": "usage:read"}

    @extend_schema(
        responses=UsageStatsSerializer,
        parameters=[
            OpenApiParameter("period", str, enum=periods.PERIODS, default="monthly"),
            OpenApiParameter("from", str, description="ISO 8601, inclusive; the start of the period by default"),
            OpenApiParameter("to", str, description="ISO 8601, exclusive; now by default"),
            OpenApiParameter("environment", str, enum=["live", "test"], default="live"),
        ],
    )
    @snapshot.consistent()
    def get(self, request: Request) -> Response:
        """Requests and credits between two times, exact, for this organization and all beneath it."""
        period = parameters.choice(request, "period", periods.PERIODS, "monthly")
        environment = parameters.choice(request, "environment", ("live", "test"), "live")
        start, end = parameters.span(request, period, credential_of(request).timezone)
        stats = usage_stats(
            organization_of(request),
            credential_of(request).user,
            period=period,
            start=start,
            end=end,
            environment=environment,
        )
        return Response(UsageStatsSerializer(stats).data)


class AccountSummarySerializer(serializers.Serializer[Any]):
    user_id = serializers.IntegerField(allow_null=True)
    email = serializers.EmailField(allow_blank=True)
    credit_balance = CreditBalanceSerializer()
    subscription = SubscriptionSerializer(allow_null=True)
    usage_this_month = UsageStatsSerializer()
    total_requests_all_time = serializers.IntegerField()
    account_created_at = serializers.DateTimeField()
    last_login_at = serializers.DateTimeField(allow_null=True)


class SummaryView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses=AccountSummarySerializer)
    def get(self, request: Request) -> Response:
        """The account at a glance: its credits, this month's usage, and when it was created."""
        posting.current(
            organization_of(request).pk, clock.now(organization_of(request))
        )  # brings the account up to date; the snapshot below can't write
        return self._summary(request)

    @snapshot.consistent()
    def _summary(self, request: Request) -> Response:
        credential, now = credential_of(request), clock.now(organization_of(request))
        organization, user = organization_of(request), credential.user
        start = periods.start_of("monthly", now, credential.timezone)
        summary = {
            "user_id": user_id(user),
            "email": user.email if user else "",
            "credit_balance": credit_balance(organization, user, LedgerAccount.objects.of(organization).first()),
            "subscription": subscriptions.live(organization),
            "usage_this_month": usage_stats(organization, user, period="monthly", start=start, end=now),
            "total_requests_all_time": totals.requests_all_time(organization),
            "account_created_at": organization.created_at,
            "last_login_at": user.last_login if user else None,
        }
        return Response(AccountSummarySerializer(summary).data)
