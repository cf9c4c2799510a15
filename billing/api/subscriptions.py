"""The plans that an organization has taken."""

from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts import idempotency
from accounts.credentials import organization_of
from billing import accounts, clock
from billing.api.money import MoneySerializer, check_currency
from billing.invoicing import subscriptions
from billing.models import Subscription


class SubscribeSerializer(MoneySerializer):
    plan = serializers.CharField(max_length=50)


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    id = serializers.CharField(source="public_id", read_only=True)
    plan = serializers.CharField(source="plan.slug", read_only=True)

    class Meta:
        model = Subscription
        fields = ["id", "plan", "status", "current_period_start", "current_period_end", "cancel_at_period_end"]
        read_only_fields = fields


class SubscriptionViewSet(mixins.ListModelMixin, GenericViewSet[Subscription]):
    """The organization's subscriptions, newest first."""

    scopes = {"list": "billing:read", "create": "billing:write"}
    serializer_class = SubscriptionSerializer
    queryset = Subscription.objects.none()

    def get_queryset(self) -> QuerySet[Subscription]:
        organization = organization_of(self.request)
        accounts.find(organization)  # a child is billed by its root
        return Subscription.objects.of(organization).select_related("plan").order_by("-created_at", "-pk")

    @extend_schema(request=SubscribeSerializer, responses={201: SubscriptionSerializer})
    def create(self, request: Request) -> Any:
        """Subscribe to a plan. The first month is paid from the credits. The first subscription fixes the currency."""
        serializer = SubscribeSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        params = dict(serializer.validated_data)
        check_currency(organization_of(request), params)

        def effect() -> Response:
            organization = organization_of(request)
            subscription = subscriptions.subscribe(organization, params["plan"], now=clock.now(organization))
            return Response(SubscriptionSerializer(subscription).data, status=status.HTTP_201_CREATED)

        return idempotency.once(request, effect)
