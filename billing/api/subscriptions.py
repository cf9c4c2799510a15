"""The plans that an organization has taken, changing them, and the clearance of services."""

from datetime import timedelta
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import mixins, serializers, status
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import events, idempotency
from accounts.api import lookups
from accounts.api.fields import IntegerField, PrintableField
from accounts.api.filters import text_parameter
from accounts.api.lookups import PublicIdMixin
from accounts.credentials import credential_of, organization_of
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from accounts.permissions import HasScopeOrPlatformKey
from billing import clock
from billing.api.fields import AmountSerializerField, PositiveAmountField
from billing.api.holds import HoldSerializer
from billing.api.money import MoneySerializer, check_currency
from billing.api.payers import own_payer
from billing.invoicing import changes, clearance, renewals, subscriptions
from billing.models import Interval, Subscription


class SubscribeSerializer(MoneySerializer):
    plan = serializers.CharField(max_length=50)
    interval = serializers.ChoiceField(Interval.choices, default=Interval.MONTH)


class ChangeSubscriptionSerializer(MoneySerializer):
    """A dearer plan begins now, a cheaper one with the next period. The present plan takes back what was to come."""

    plan = serializers.CharField(max_length=50, required=False)
    interval = serializers.ChoiceField(Interval.choices, required=False)
    cancel_at_period_end = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        changes_plan = "plan" in attrs or "interval" in attrs
        if changes_plan == ("cancel_at_period_end" in attrs):
            raise serializers.ValidationError({"plan": "Give a plan or an interval, or else cancel_at_period_end."})
        return attrs


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    id = serializers.CharField(source="public_id", read_only=True)
    plan = serializers.CharField(source="plan.slug", read_only=True)

    class Meta:
        model = Subscription
        fields = ["id", "plan", "status", "current_period_start", "current_period_end", "cancel_at_period_end"]
        read_only_fields = fields


class SubscriptionDetailSerializer(SubscriptionSerializer):
    """`price` is what a period costs, in credits. `next_plan` and `next_interval` begin with the next period."""

    version = serializers.IntegerField(source="plan.version", read_only=True)
    price = AmountSerializerField(read_only=True)
    next_plan = serializers.CharField(source="next_plan.slug", read_only=True, allow_null=True, default=None)
    next_interval = serializers.CharField(read_only=True)
    next_attempt_at = serializers.SerializerMethodField()

    class Meta(SubscriptionSerializer.Meta):
        fields = [
            *SubscriptionSerializer.Meta.fields,
            *("version", "interval", "price", "next_plan", "next_interval", "next_attempt_at"),
            *("created_at", "ended_at"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_attempt_at(self, subscription: Subscription) -> Any:
        """When a subscription that is past due is tried again."""
        is_past_due = subscription.status == Subscription.Status.PAST_DUE
        moment = subscription.next_at if is_past_due else None
        return serializers.DateTimeField().to_representation(moment) if moment else None


class QuoteSerializer(serializers.Serializer[Any]):
    """`charge` is taken when the change begins, and `price` each period from then on; both in credits."""

    plan = serializers.CharField(source="plan.slug")
    interval = serializers.ChoiceField(Interval.choices)
    begins_at = serializers.DateTimeField()
    is_immediate = serializers.BooleanField()
    charge = AmountSerializerField()
    price = AmountSerializerField()


class ClearanceRequestSerializer(MoneySerializer):
    """`cost` is what the service needs at once, in credits. With `hold_seconds` it is held, if it is allowed."""

    organization = serializers.CharField(max_length=21, required=False)
    cost = PositiveAmountField(required=False)
    hold_seconds = IntegerField(min_value=1, max_value=86400, required=False)
    reference = PrintableField(max_length=100, allow_blank=True, trim_whitespace=False, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "hold_seconds" in attrs and "cost" not in attrs:
            raise serializers.ValidationError({"cost": "Required with hold_seconds."})
        return attrs


class ReasonSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    detail = serializers.CharField()
    action_url = serializers.CharField(allow_null=True)


class ClearanceSerializer(serializers.Serializer[Any]):
    allowed = serializers.BooleanField(source="is_allowed")
    reasons = ReasonSerializer(many=True)
    hold = HoldSerializer(allow_null=True)


class SubscriptionViewSet(
    PublicIdMixin, mixins.ListModelMixin, mixins.RetrieveModelMixin, GenericViewSet[Subscription]
):
    """The organization's subscriptions, newest first."""

    scopes = {
        "list": "billing:read",
        "retrieve": "billing:read",
        "create": "billing:write",
        "partial_update": "billing:write",
        "retry": "billing:write",
        "quote": "billing:read",
        "clearance": "credits:write",
    }
    refusals = {"create": (402,), "partial_update": (402,)}
    serializer_class = SubscriptionDetailSerializer
    queryset = Subscription.objects.none()
    id_prefix = "sub_"

    def get_queryset(self) -> QuerySet[Subscription]:
        organization = own_payer(self.request)
        taken = Subscription.objects.of(organization).select_related("plan", "next_plan", "organization")
        return taken.order_by("-created_at", "-pk")

    @extend_schema(request=SubscribeSerializer, responses={201: SubscriptionDetailSerializer})
    def create(self, request: Request) -> Any:
        """Take a plan. The first period is paid from the credits, unless it has a trial.

        The first one fixes the account's currency.
        """
        organization, params = organization_of(request), _params(SubscribeSerializer, request, organization_of(request))

        def effect() -> Response:
            now, plan, interval = clock.now(organization), params["plan"], params["interval"]
            taken = subscriptions.subscribe(organization, plan, interval=interval, now=now)
            return Response(SubscriptionDetailSerializer(taken).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)

    @extend_schema(request=ChangeSubscriptionSerializer, responses=SubscriptionDetailSerializer)
    def partial_update(self, request: Request, id: str) -> Response:
        """Change the plan, cancel at the end of the period, or take that back.

        A dearer plan begins now and costs the difference for what is left of the period: 402 if that is not available.
        """
        subscription = self.get_object()
        organization = subscription.organization
        params = _params(ChangeSubscriptionSerializer, request, organization)
        _check_live(subscription)
        now, actor = clock.now(organization), events.actor_of(credential_of(request))
        if "cancel_at_period_end" in params:
            verb = changes.cancel if params["cancel_at_period_end"] else changes.resume
            changed = verb(organization, now=now, actor=actor)
        else:
            plan, interval = params.get("plan", subscription.plan.slug), params.get("interval")
            changed = changes.change(organization, plan, interval, now=now, actor=actor)
        return Response(SubscriptionDetailSerializer(changed).data)

    @extend_schema(request=None, responses=SubscriptionDetailSerializer)
    @action(detail=True, methods=["post"])
    def retry(self, request: Request, id: str) -> Response:
        """Try again at once to pay a subscription that is past due."""
        subscription = self.get_object()
        _check_live(subscription)
        renewals.retry(subscription.organization, clock.now(subscription.organization))
        return Response(SubscriptionDetailSerializer(self.get_object()).data)

    @extend_schema(
        parameters=[
            OpenApiParameter("plan", str, required=True),
            OpenApiParameter("interval", str, enum=Interval.values),
        ],
        responses=QuoteSerializer,
    )
    @action(detail=False, methods=["get"], filter_backends=[], pagination_class=None)
    def quote(self, request: Request) -> Response:
        """What taking a plan, or changing to it, would cost now. Nothing is changed."""
        organization, interval = own_payer(request), text_parameter(request, "interval")
        if interval is not None and interval not in Interval.values:
            raise InvalidField("interval", f"Must be one of {', '.join(Interval.values)}.")
        plan = text_parameter(request, "plan")
        if plan is None:
            raise InvalidField("plan", "Required.")
        return Response(QuoteSerializer(changes.quote(organization, plan, interval, clock.now(organization))).data)

    @extend_schema(request=ClearanceRequestSerializer, responses=ClearanceSerializer)
    @action(detail=False, methods=["post"], permission_classes=[HasScopeOrPlatformKey])
    def clearance(self, request: Request) -> Any:
        """May the organization create a service now? All reasons against it, with what can be done about each.

        A platform key names the `organization`. A child is cleared by the root of its tree.
        """
        serializer = ClearanceRequestSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        organization = lookups.organization(request, params.get("organization"))
        check_currency(organization, params)
        seconds = params.get("hold_seconds")

        def effect() -> Response:
            cleared = clearance.clear(
                organization,
                now=clock.now(organization),
                cost=params.get("cost", 0),
                ttl=timedelta(seconds=seconds) if seconds else None,
                reference=params["reference"],
                by_platform=credential_of(request).is_platform,
            )
            return Response(ClearanceSerializer(cleared).data)

        return idempotency.once(request, effect)


def _params(serializer_class: type[MoneySerializer], request: Request, payer: Organization) -> dict[str, Any]:
    serializer = serializer_class(data=request.data)
    serializer.is_valid(raise_exception=True)
    params = dict(serializer.validated_data)
    check_currency(payer, params)
    return params


def _check_live(subscription: Subscription) -> None:
    """What was looked up may be one that has ended, while another is live."""
    if subscription.status == Subscription.Status.CANCELED:
        raise changes.NotSubscribed
