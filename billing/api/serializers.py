from decimal import Decimal
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from accounts.api.fields import MomentField
from accounts.lib.money import LARGEST, ZERO
from billing.api.fields import AmountSerializerField, MetadataField, PositiveAmountField, PrintableField
from billing.models import (
    AutoRecharge,
    EndpointPrice,
    Grant,
    Hold,
    Meter,
    Payment,
    PaymentMethod,
    Plan,
    PlanAllowance,
    PriceTier,
    Subscription,
)


class PaymentMethodSerializer(serializers.ModelSerializer[PaymentMethod]):
    id = serializers.CharField(source="public_id", read_only=True)

    class Meta:
        model = PaymentMethod
        fields = ["id", "brand", "last4", "exp_month", "exp_year", "is_default"]
        read_only_fields = fields


class AddPaymentMethodSerializer(serializers.Serializer[Any]):
    gateway_token = serializers.CharField(max_length=100)


class ChangePaymentMethodSerializer(serializers.Serializer[Any]):
    """A card becomes the default one; it stops to be that when another does."""

    is_default = serializers.BooleanField()

    def validate_is_default(self, value: bool) -> bool:
        if not value:
            raise serializers.ValidationError("Make another card the default one instead.")
        return value


class PaymentSerializer(serializers.ModelSerializer[Payment]):
    id = serializers.CharField(source="public_id", read_only=True)
    amount = AmountSerializerField(read_only=True)
    next_action_url = serializers.URLField(required=False)
    failure_code = serializers.CharField(required=False)

    class Meta:
        model = Payment
        fields = ["id", "status", "amount", "currency", "next_action_url", "failure_code", "created_at"]
        read_only_fields = fields

    def to_representation(self, instance: Payment) -> dict[str, Any]:
        """Without the members that say nothing: an action's address, a failure's code."""
        shown = super().to_representation(instance)
        return {k: v for k, v in shown.items() if v or k not in ("next_action_url", "failure_code")}


class PurchaseSerializer(serializers.Serializer[Any]):
    amount = AmountSerializerField()
    payment_method = serializers.CharField(max_length=40, required=False, allow_null=True, default=None)


class PlanAllowanceSerializer(serializers.ModelSerializer[PlanAllowance]):
    meter = serializers.CharField(source="meter.slug", read_only=True)
    included_quantity = AmountSerializerField(read_only=True)

    class Meta:
        model = PlanAllowance
        fields = ["meter", "included_quantity"]
        read_only_fields = fields


class PlanSerializer(serializers.ModelSerializer[Plan]):
    id = serializers.CharField(source="slug", read_only=True)
    monthly_price = AmountSerializerField(read_only=True)
    allowances = PlanAllowanceSerializer(many=True, read_only=True)

    class Meta:
        model = Plan
        fields = ["id", "name", "description", "monthly_price", "allowances"]
        read_only_fields = fields


class PriceTierSerializer(serializers.ModelSerializer[PriceTier]):
    """The units of a month up to `up_to`, beyond those of the tier before; all of the rest where it is null."""

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

    def get_unit_price(self, meter: Meter) -> Decimal:
        return meter.price.unit_amount if hasattr(meter, "price") else Decimal(0)

    @extend_schema_field(PriceTierSerializer(many=True))
    def get_tiers(self, meter: Meter) -> Any:
        return PriceTierSerializer(meter.price.tiers.all() if hasattr(meter, "price") else [], many=True).data


class AutoRechargeSerializer(serializers.ModelSerializer[AutoRecharge]):
    threshold = AmountSerializerField(read_only=True, allow_null=True)
    amount = AmountSerializerField(read_only=True, allow_null=True)
    target = AmountSerializerField(read_only=True, allow_null=True)
    monthly_limit = AmountSerializerField(read_only=True, allow_null=True)
    payment_method = serializers.CharField(
        source="payment_method.public_id", read_only=True, default=None, allow_null=True
    )

    class Meta:
        model = AutoRecharge
        fields = ["enabled", "threshold", "amount", "target", "payment_method", "monthly_limit", "monthly_count"]
        read_only_fields = fields


class SubscribeSerializer(serializers.Serializer[Any]):
    plan = serializers.CharField(max_length=50)


class SubscriptionSerializer(serializers.ModelSerializer[Subscription]):
    id = serializers.CharField(source="public_id", read_only=True)
    plan = serializers.CharField(source="plan.slug", read_only=True)

    class Meta:
        model = Subscription
        fields = ["id", "plan", "status", "current_period_start", "current_period_end", "cancel_at_period_end"]
        read_only_fields = fields


class HoldSerializer(serializers.ModelSerializer[Hold]):
    """`late` is there where the hold was captured after its expiry."""

    id = serializers.CharField(source="public_id", read_only=True)
    status = serializers.SerializerMethodField()
    amount = AmountSerializerField(read_only=True)
    captured = AmountSerializerField(read_only=True)
    organization = serializers.CharField(source="organization.public_id", read_only=True)
    key_id = serializers.CharField(source="key.public_id", read_only=True, default=None, allow_null=True)
    metadata = serializers.DictField(read_only=True)
    late = serializers.BooleanField(required=False)

    class Meta:
        model = Hold
        fields = [
            *("id", "status", "amount", "captured", "expires_at", "organization", "key_id", "reference"),
            *("metadata", "created_at", "late"),
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(Hold.Status.choices))
    def get_status(self, hold: Hold) -> str:
        return hold.status_at(timezone.now())

    def to_representation(self, instance: Hold) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {name: value for name, value in shown.items() if value or name != "late"}


class PlaceHoldSerializer(serializers.Serializer[Any]):
    organization = serializers.CharField(max_length=21, required=False)
    key_id = serializers.CharField(max_length=20, required=False, allow_null=True)
    amount = PositiveAmountField()
    ttl_seconds = serializers.IntegerField(min_value=1, max_value=86400, default=300)
    reference = PrintableField(max_length=100, allow_blank=True, trim_whitespace=False, default="")
    metadata = MetadataField(default=dict)


class CaptureHoldSerializer(serializers.Serializer[Any]):
    """Without an amount, all that is held."""

    amount = AmountSerializerField(min_value=ZERO, max_value=LARGEST, required=False)


class LeaseSerializer(HoldSerializer):
    class Meta:
        model = Hold
        fields = [
            *("id", "status", "amount", "captured", "spend_until", "expires_at", "organization", "key_id"),
            *("reference", "created_at"),
        ]
        read_only_fields = fields

    late = None  # type: ignore[assignment]
    metadata = None  # type: ignore[assignment]


class TakeLeaseSerializer(serializers.Serializer[Any]):
    """`minimum` is what the lease is refused below; it is the amount unless given."""

    organization = serializers.CharField(max_length=21)
    key_id = serializers.CharField(max_length=20, required=False, allow_null=True)
    amount = PositiveAmountField()
    minimum = PositiveAmountField(required=False)
    ttl_seconds = serializers.IntegerField(min_value=1, max_value=86400, default=60)
    grace_seconds = serializers.IntegerField(min_value=0, max_value=86400, default=60)
    reference = PrintableField(max_length=100, allow_blank=True, trim_whitespace=False, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("minimum", attrs["amount"]) > attrs["amount"]:
            raise serializers.ValidationError({"minimum": "At most the amount."})
        return attrs


class ExtendLeaseSerializer(serializers.Serializer[Any]):
    """`amount` is how much more."""

    amount = AmountSerializerField(min_value=ZERO, max_value=LARGEST, default=ZERO)
    ttl_seconds = serializers.IntegerField(min_value=1, max_value=86400, default=60)


class GrantSerializer(serializers.ModelSerializer[Grant]):
    """`entry` is the ledger entry that brought the credits."""

    id = serializers.CharField(source="public_id", read_only=True)
    organization = serializers.CharField(source="account.organization.public_id", read_only=True)
    amount = AmountSerializerField(read_only=True)
    remaining = AmountSerializerField(read_only=True)
    entry = serializers.IntegerField(source="entry_seq", read_only=True)

    class Meta:
        model = Grant
        fields = [
            *("id", "organization", "category", "priority", "amount", "remaining", "expires_at", "entry"),
            "created_at",
        ]
        read_only_fields = fields


class GiveGrantSerializer(serializers.Serializer[Any]):
    organization = serializers.CharField(max_length=21)
    amount = PositiveAmountField()
    category = serializers.ChoiceField(Grant.Category.choices, default=Grant.Category.PROMOTIONAL)
    priority = serializers.IntegerField(
        min_value=Grant.PRIORITIES[0], max_value=Grant.PRIORITIES[1], default=Grant.ORDINARY
    )
    expires_at = MomentField(allow_null=True, default=None)
    description = PrintableField(max_length=200, allow_blank=True, default="")


class ReverseSerializer(serializers.Serializer[Any]):
    """`expires_at` is for what a reversal gives back."""

    organization = serializers.CharField(max_length=21)
    reason = PrintableField(max_length=200)
    expires_at = MomentField(allow_null=True, default=None)


class AdjustSerializer(ReverseSerializer):
    """A positive amount gives credits, which may expire; a negative one takes some."""

    amount = AmountSerializerField(min_value=-LARGEST, max_value=LARGEST)

    def validate_amount(self, value: Decimal) -> Decimal:
        if not value:
            raise serializers.ValidationError("Must not be 0.")
        return value
