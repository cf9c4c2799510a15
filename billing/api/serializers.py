from decimal import Decimal
from typing import Any

from rest_framework import serializers

from billing.api.fields import AmountSerializerField
from billing.models import AutoRecharge, Meter, Payment, PaymentMethod, Plan, Subscription


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


class PlanSerializer(serializers.ModelSerializer[Plan]):
    id = serializers.CharField(source="slug", read_only=True)
    monthly_price = AmountSerializerField(read_only=True)

    class Meta:
        model = Plan
        fields = ["id", "name", "description", "monthly_price"]
        read_only_fields = fields


class MeterSerializer(serializers.ModelSerializer[Meter]):
    id = serializers.CharField(source="slug", read_only=True)
    unit_price = serializers.SerializerMethodField()

    class Meta:
        model = Meter
        fields = ["id", "name", "unit", "unit_price"]
        read_only_fields = fields

    def get_unit_price(self, meter: Meter) -> Decimal:
        return meter.price.unit_amount if hasattr(meter, "price") else Decimal(0)


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
