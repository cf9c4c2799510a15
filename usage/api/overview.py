"""An organization at a glance, as the dashboard's first page shows it: `/v1/overview`."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import LiveKeyRequired
from accounts.credentials import credential_of, organization_of
from accounts.lib.problems import Forbidden
from billing import clock
from billing.api.fields import AmountSerializerField
from billing.attention import Alert, Level
from usage.reporting import onboarding, overview
from usage.reporting.onboarding import Checklist
from usage.reporting.overview import Month, Overview
from usage.reporting.runway import Health, Pace


class BalanceSerializer(serializers.Serializer[Any]):
    balance = AmountSerializerField()
    reserved = AmountSerializerField()
    credit_limit = AmountSerializerField()
    available = AmountSerializerField()
    currency = serializers.CharField(help_text="Empty until there is a billing account")


class PaceSerializer(serializers.Serializer[Any]):
    """The credits spent a day in the last `days`. `days_left` is null if nothing was spent, or nothing is left."""

    days = serializers.IntegerField()
    daily = AmountSerializerField()
    days_left = serializers.IntegerField(allow_null=True)
    until = serializers.DateTimeField(allow_null=True)


class RunwaySerializer(serializers.Serializer[Any]):
    health = serializers.ChoiceField([health.value for health in Health])
    paces = PaceSerializer(many=True)


class PeriodSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    requests = serializers.IntegerField()
    failed = serializers.IntegerField()
    credits = AmountSerializerField()


class EndpointSerializer(serializers.Serializer[Any]):
    """`share` is in per cent of the month's requests. The name is null for all others together."""

    name = serializers.CharField(allow_null=True)
    requests = serializers.IntegerField()
    share = AmountSerializerField()


class AlertSerializer(serializers.Serializer[Any]):
    """`url` is the page on which something can be done about it; null where there is none."""

    code = serializers.CharField()
    level = serializers.ChoiceField([level.value for level in Level])
    detail = serializers.CharField()
    url = serializers.CharField(allow_null=True)


class StepSerializer(serializers.Serializer[Any]):
    step = serializers.ChoiceField(["billing_account", "card", "credits", "api_key", "first_request"])
    done = serializers.BooleanField()


class ChecklistSerializer(serializers.Serializer[Any]):
    """The first steps, read from the facts. `dismissed` is the caller's own; `key` is the newest key."""

    steps = StepSerializer(many=True)
    done = serializers.BooleanField()
    dismissed = serializers.BooleanField()
    key = serializers.CharField(allow_null=True)


class OverviewSerializer(serializers.Serializer[Any]):
    """`balance` and `runway` are null for a child, and without the scope `credits:read`."""

    balance = BalanceSerializer(allow_null=True)
    runway = RunwaySerializer(allow_null=True)
    as_of = serializers.DateTimeField(help_text="Usage that was recorded by then is in the months and endpoints")
    month = PeriodSerializer()
    month_before = PeriodSerializer(help_text="As much of the month before")
    endpoints = EndpointSerializer(many=True)
    alerts = AlertSerializer(many=True, help_text="The most urgent first")
    checklist = ChecklistSerializer()


class DismissSerializer(serializers.Serializer[Any]):
    dismissed = serializers.BooleanField()


class OverviewView(APIView):
    scopes = {"get": "usage:read"}

    @extend_schema(responses=OverviewSerializer)
    def get(self, request: Request) -> Response:
        """What is left and for how long, this month against the last, top endpoints, and what needs attention."""
        credential, organization = credential_of(request), organization_of(request)
        now = clock.now(organization)
        seen = overview.of(organization, credential.user, credential.scopes, credential.timezone, now)
        return Response(_body(seen))


class ChecklistView(APIView):
    scopes = {"patch": "usage:read"}

    @extend_schema(request=DismissSerializer, responses=ChecklistSerializer)
    def patch(self, request: Request) -> Response:
        """Hide the first steps from the caller, or show them again. Nobody else sees a difference."""
        credential, organization = credential_of(request), organization_of(request)
        serializer = DismissSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        if credential.is_test:
            raise LiveKeyRequired
        if credential.user is None:
            raise Forbidden("Only a person has first steps to hide.")
        if serializer.validated_data["dismissed"]:
            onboarding.dismiss(organization, credential.user, clock.now(organization))
        else:
            onboarding.bring_back(organization, credential.user)
        return Response(_checklist(onboarding.of(organization, credential.user)))


def _body(seen: Overview) -> dict[str, Any]:
    return {
        "balance": BalanceSerializer(seen.balance).data if seen.balance else None,
        "runway": {
            "health": seen.runway.health.value,
            "paces": [_pace(pace) for pace in seen.runway.paces],
        }
        if seen.runway
        else None,
        "as_of": seen.as_of,
        **_months(seen.month),
        "endpoints": [{"name": line.name, "requests": line.requests, "share": line.share} for line in seen.endpoints],
        "alerts": [_alert(alert) for alert in (*seen.urgent, *seen.others)],
        "checklist": _checklist(seen.checklist),
    }


def _pace(pace: Pace) -> dict[str, Any]:
    return {"days": pace.days, "daily": pace.daily, "days_left": pace.days_left, "until": pace.until}


def _months(month: Month) -> dict[str, Any]:
    spans = {"month": (month.start, month.end, month.totals), "month_before": (*month.earlier, month.before)}
    return {
        name: {
            "start": start,
            "end": end,
            "requests": totals.requests,
            "failed": totals.failed,
            "credits": totals.credits,
        }
        for name, (start, end, totals) in spans.items()
    }


def _alert(alert: Alert) -> dict[str, Any]:
    url = f"{settings.BASE_URL}{alert.page}" if alert.page else None
    return {"code": alert.code, "level": alert.level.value, "detail": alert.detail, "url": url}


def _checklist(checklist: Checklist) -> dict[str, Any]:
    return {
        "steps": [{"step": name, "done": done} for name, done in checklist.steps.items()],
        "done": checklist.is_done,
        "dismissed": checklist.is_dismissed,
        "key": checklist.key.public_id if checklist.key else None,
    }
