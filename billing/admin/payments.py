from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin import ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from billing.admin import change_requests
from billing.models import AutoRecharge, Dispute, Payment, PaymentMethod, ReceivedEvent, Refund


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[Payment]):
    id_prefix = "pay_"
    list_display = ["public_id", "organization", "amount", "currency", "status", "failure_code", "created_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["organization"]
    search_fields = [*exactly("intent", "gateway_reference"), *owner_fields("organization")]
    ordering = ["-created_at"]
    actions = ["refund"]

    def has_refund_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "refund")

    @admin.action(description="Refund the selected payment …", permissions=["refund"])
    def refund(self, request: HttpRequest, chosen: QuerySet[Payment]) -> HttpResponse | None:
        return change_requests.lead(self, request, "refund", [payment.public_id for payment in chosen])


@admin.register(Refund)
class RefundAdmin(ReadOnlyAdmin[Refund]):
    id_prefix = "re_"
    list_display = ["public_id", "payment", "amount", "total", "status", "failure_code", "reason", "created_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["payment"]
    search_fields = [*exactly("gateway_reference"), *owner_fields("payment__organization")]
    ordering = ["-created_at"]


@admin.register(Dispute)
class DisputeAdmin(ReadOnlyAdmin[Dispute]):
    id_prefix = "du_"
    list_display = ["public_id", "payment", "status", "reason", "total", "withdrawn", "reinstated", "created_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["payment"]
    search_fields = [*exactly("gateway_reference"), *owner_fields("payment__organization")]
    ordering = ["-created_at"]


@admin.register(ReceivedEvent)
class ReceivedEventAdmin(ReadOnlyAdmin[ReceivedEvent]):
    """The gateway's events, and whether they were handled."""

    list_display = ["event_id", "type", "object_id", "received_at", "handled_at", "attempts"]
    list_filter = ["received_at", "subject"]
    search_fields = exactly("event_id", "object_id")
    ordering = ["-received_at"]


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin[PaymentMethod]):
    id_prefix = "pm_"
    list_display = ["public_id", "organization", "gateway", "brand", "last4", "exp_month", "exp_year", "is_default"]
    list_select_related = ["organization"]
    search_fields = [*exactly("last4", "gateway_token"), *owner_fields("organization")]
    ordering = ["-created_at"]
    exclude = ["gateway_token"]


@admin.register(AutoRecharge)
class AutoRechargeAdmin(ReadOnlyAdmin[AutoRecharge]):
    """Read-only. The owner sets it, with a card that the owner has agreed to have charged."""

    list_display = ["organization", "enabled", "threshold", "amount", "target", "monthly_limit"]
    list_select_related = ["organization"]
    search_fields = owner_fields("organization")
