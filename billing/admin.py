from decimal import Decimal
from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from accounts.admin import ChangedFieldsAdmin, ReadOnlyAdmin
from billing.models import (
    AutoRecharge,
    BillingAccount,
    Hold,
    LedgerAccount,
    LedgerEntry,
    Meter,
    Payment,
    PaymentMethod,
    Plan,
    Price,
)
from billing.money import plain


def _owner(prefix: str) -> list[str]:
    """Where search looks for an owner: any public id of the organization's, or the email of one of its people."""
    fields = ["public_id", "auth_id", "name", "memberships__user__email", "billing_account__public_id"]
    return [f"{prefix}__{field}" for field in fields]


@admin.register(BillingAccount)
class BillingAccountAdmin(ChangedFieldsAdmin[BillingAccount]):
    list_display = ["name", "public_id", "email", "organization", "currency", "balance", "created_at"]
    list_select_related = ["organization__ledger_account"]
    search_fields = ["public_id", "name", "email", *_owner("organization")]
    ordering = ["-created_at"]
    readonly_fields = ["public_id", "organization", "currency", "balance", "created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(ordering="organization__ledger_account__balance")
    def balance(self, account: BillingAccount) -> str:
        mine: LedgerAccount | None = getattr(account.organization, "ledger_account", None)
        return plain(mine.balance if mine else Decimal(0))


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin[LedgerAccount]):
    list_display = ["organization", "balance", "reserved", "credit_limit", "seq", "updated_at"]
    list_select_related = ["organization"]
    search_fields = _owner("organization")
    ordering = ["-updated_at"]


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    """Append-only, here and in the database: a mistake is corrected by a reversal."""

    list_display = ["organization", "seq", "kind", "amount", "balance_after", "description", "reference", "created_at"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["account__organization"]
    search_fields = ["reference", *_owner("account__organization")]
    ordering = ["-created_at", "-seq"]

    @admin.display(ordering="account")
    def organization(self, entry: LedgerEntry) -> str:
        return str(entry.account.organization)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    id_prefix = "hold_"
    list_display = ["public_id", "organization", "amount", "captured", "status", "created_at", "expires_at"]
    list_filter = ["status"]
    list_select_related = ["organization"]
    search_fields = ["reference", *_owner("organization")]
    ordering = ["-created_at"]


@admin.register(Payment)
class PaymentAdmin(ReadOnlyAdmin[Payment]):
    id_prefix = "pay_"
    list_display = ["public_id", "organization", "amount", "currency", "status", "failure_code", "created_at"]
    list_filter = ["status", "created_at"]
    list_select_related = ["organization"]
    search_fields = ["gateway_reference", *_owner("organization")]
    ordering = ["-created_at"]


@admin.register(PaymentMethod)
class PaymentMethodAdmin(ReadOnlyAdmin[PaymentMethod]):
    id_prefix = "pm_"
    list_display = ["public_id", "organization", "gateway", "brand", "last4", "exp_month", "exp_year", "is_default"]
    list_select_related = ["organization"]
    search_fields = ["last4", *_owner("organization")]
    ordering = ["-created_at"]
    exclude = ["gateway_token"]


@admin.register(AutoRecharge)
class AutoRechargeAdmin(ChangedFieldsAdmin[AutoRecharge]):
    list_display = ["organization", "enabled", "threshold", "amount", "target", "monthly_limit"]
    list_select_related = ["organization"]
    search_fields = _owner("organization")
    raw_id_fields = ["organization", "payment_method"]


class PriceInline(admin.StackedInline[Price, Meter]):
    model = Price


@admin.register(Meter)
class MeterAdmin(ChangedFieldsAdmin[Meter]):
    list_display = ["slug", "name", "unit", "price"]
    list_select_related = ["price"]
    search_fields = ["slug", "name"]
    inlines = [PriceInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Usage names its meter for good."""
        return False


@admin.register(Plan)
class PlanAdmin(ChangedFieldsAdmin[Plan]):
    list_display = ["slug", "name", "monthly_price", "is_offered"]
    search_fields = ["slug", "name"]
