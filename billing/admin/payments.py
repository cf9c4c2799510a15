from django.contrib import admin

from accounts.admin import ReadOnlyAdmin
from billing.admin.search import owner_fields
from billing.models import AutoRecharge, Payment, PaymentMethod


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[Payment]):
    id_prefix = "pay_"
    list_display = ["public_id", "organization", "amount", "currency", "status", "failure_code", "created_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["gateway_reference", *owner_fields("organization")]
    ordering = ["-created_at"]


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin[PaymentMethod]):
    id_prefix = "pm_"
    list_display = ["public_id", "organization", "gateway", "brand", "last4", "exp_month", "exp_year", "is_default"]
    list_select_related = ["organization"]
    search_fields = ["last4", *owner_fields("organization")]
    ordering = ["-created_at"]
    exclude = ["gateway_token"]


@admin.register(AutoRecharge)
class AutoRechargeAdmin(ReadOnlyAdmin[AutoRecharge]):
    """To look at. Its owner sets it, with a card that the owner agreed to have charged."""

    list_display = ["organization", "enabled", "threshold", "amount", "target", "monthly_limit"]
    list_select_related = ["organization"]
    search_fields = owner_fields("organization")
