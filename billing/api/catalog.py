"""What is sold: plans and meters with their prices. The same for everyone, and open to anyone."""

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import mixins, serializers
from rest_framework.permissions import AllowAny
from rest_framework.viewsets import GenericViewSet

from apikeys.api.fields import RateLimitSerializer
from billing.api.fields import AmountSerializerField
from billing.models import EndpointPrice, Meter, Plan, PlanAllowance, PlanPrice, PriceTier


class PlanAllowanceSerializer(serializers.ModelSerializer[PlanAllowance]):
    meter = serializers.CharField(source="meter.slug", read_only=True)
    included_quantity = AmountSerializerField(read_only=True)

    class Meta:
        model = PlanAllowance
        fields = ["meter", "included_quantity"]
        read_only_fields = fields


class PlanPriceSerializer(serializers.ModelSerializer[PlanPrice]):
    amount = AmountSerializerField(read_only=True)

    class Meta:
        model = PlanPrice
        fields = ["currency", "interval", "amount"]
        read_only_fields = fields


class PlanSerializer(serializers.ModelSerializer[Plan]):
    """`monthly_price` holds in every currency that `prices` doesn't name; null: only in those. `grant` is a month's.

    `rate_limit` is for all keys of the subscriber together, beside those that keys have of their own.
    """

    id = serializers.CharField(source="slug", read_only=True)
    monthly_price = AmountSerializerField(read_only=True, allow_null=True)
    prices = PlanPriceSerializer(many=True, read_only=True)
    grant = AmountSerializerField(read_only=True)
    allowances = PlanAllowanceSerializer(many=True, read_only=True)
    rate_limit = serializers.SerializerMethodField()

    class Meta:
        model = Plan
        fields = [
            *("id", "version", "name", "description", "monthly_price", "prices", "grant", "trial_days", "allowances"),
            "rate_limit",
        ]
        read_only_fields = fields

    @extend_schema_field(RateLimitSerializer(allow_null=True))
    def get_rate_limit(self, plan: Plan) -> dict[str, int] | None:
        return dict(RateLimitSerializer(plan).data) if plan.rate_limit else None


class PriceTierSerializer(serializers.ModelSerializer[PriceTier]):
    """The unit price in a month from the previous tier's `up_to` to this one; null means no upper limit."""

    up_to = AmountSerializerField(read_only=True, allow_null=True)
    unit_price = AmountSerializerField(source="unit_amount", read_only=True)

    class Meta:
        model = PriceTier
        fields = ["up_to", "unit_price"]
        read_only_fields = fields


class EndpointPriceSerializer(serializers.ModelSerializer[EndpointPrice]):
    unit_price = AmountSerializerField(source="unit_amount", read_only=True)

    class Meta:
        model = EndpointPrice
        fields = ["endpoint", "unit_price"]
        read_only_fields = fields


class MeterSerializer(serializers.ModelSerializer[Meter]):
    id = serializers.CharField(source="slug", read_only=True)
    unit_price = serializers.SerializerMethodField()
    tiers = serializers.SerializerMethodField()
    endpoint_prices = EndpointPriceSerializer(many=True, read_only=True)

    class Meta:
        model = Meter
        fields = ["id", "name", "unit", "unit_price", "tiers", "endpoint_prices"]
        read_only_fields = fields

    @extend_schema_field(AmountSerializerField())
    def get_unit_price(self, meter: Meter) -> Decimal:
        return meter.price.unit_amount if hasattr(meter, "price") else Decimal(0)

    @extend_schema_field(PriceTierSerializer(many=True))
    def get_tiers(self, meter: Meter) -> Any:
        return PriceTierSerializer(meter.price.tiers.all() if hasattr(meter, "price") else [], many=True).data


class CatalogViewSet(mixins.ListModelMixin, GenericViewSet[Any]):
    """A public list: no sign-in, limited by address."""

    authentication_classes = ()
    permission_classes = (AllowAny,)
    limited_by_address = True


class PlanViewSet(CatalogViewSet):
    """The plans on offer."""

    serializer_class = PlanSerializer
    queryset = Plan.objects.filter(is_offered=True).prefetch_related("allowances__meter", "prices")


class MeterViewSet(CatalogViewSet):
    """The meters, with their unit prices in credits."""

    serializer_class = MeterSerializer
    queryset = Meter.objects.select_related("price").prefetch_related("price__tiers", "endpoint_prices")
