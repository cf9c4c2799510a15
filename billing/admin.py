from collections.abc import Callable
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone

from accounts.admin import ChangedFieldsAdmin, ReadOnlyAdmin
from accounts.lib.identifiers import uuid7
from accounts.lib.money import DIGITS, LARGEST, PLACES, ZERO, plain
from accounts.lib.problems import Problem
from billing.ledger import corrections, thresholds
from billing.models import (
    AutoRecharge,
    BillingAccount,
    EndpointPrice,
    Grant,
    Hold,
    LedgerAccount,
    LedgerEntry,
    Meter,
    Payment,
    PaymentMethod,
    Plan,
    PlanAllowance,
    Price,
    PriceTier,
)


def _owner(prefix: str) -> list[str]:
    """Where search looks for an owner: any public id of the organization's, or the email of one of its people."""
    fields = ["public_id", "auth_id", "name", "memberships__user__email", "billing_account__public_id"]
    return [f"{prefix}__{field}" for field in fields]


class ReverseForm(forms.Form):
    reason = forms.CharField(max_length=200)
    expires_at = forms.DateTimeField(required=False, help_text="UTC; when the credits that are given expire")

    def clean(self) -> dict[str, Any]:
        said = super().clean() or {}
        if said.get("expires_at") and said["expires_at"] <= timezone.now():
            self.add_error("expires_at", "Must be in the future.")
        return said


class AdjustForm(ReverseForm):
    """`idempotency_key` is the page's: sent twice, it adjusts once."""

    amount = forms.DecimalField(
        max_digits=DIGITS,
        decimal_places=PLACES,
        min_value=-LARGEST,
        max_value=LARGEST,
        help_text="Below 0 it takes",
    )
    idempotency_key = forms.CharField(max_length=40, widget=forms.HiddenInput)
    field_order = ["amount"]

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError("Must not be 0.")
        return amount


class CreditLimitForm(forms.Form):
    credit_limit = forms.DecimalField(
        max_digits=DIGITS,
        decimal_places=PLACES,
        min_value=ZERO,
        max_value=LARGEST,
        help_text="How far below 0 what is available may go",
    )
    reason = forms.CharField(max_length=200, help_text="The account's owner sees it among its events")


CORRECTIONS = {"reverse": "Reverse an entry", "adjust": "Adjust the balance", "lend": "Set the credit limit"}


def _correct(
    page: admin.ModelAdmin[Any],
    request: HttpRequest,
    chosen: QuerySet[Any],
    form_class: type[forms.Form],
    verb: Callable[..., str],
) -> HttpResponse | None:
    """Correct one row, after a page that asks for the reason. `verb` returns what was done."""
    if chosen.count() != 1:
        page.message_user(request, "Choose one.", messages.WARNING)
        return None
    row, confirmed = chosen.get(), "confirmed" in request.POST
    form = form_class(request.POST if confirmed else None, initial={"idempotency_key": f"adjust-{uuid7().hex}"})
    if confirmed and form.is_valid():
        try:
            page.message_user(request, verb(row, actor=f"user:{request.user.pk}", **form.cleaned_data))
        except Problem as error:
            said = [one["detail"] for one in error.errors] or [str(error)]
            page.message_user(request, " ".join(said), messages.WARNING)
        return None
    action = request.POST["action"]
    payer = row.organization if isinstance(row, LedgerAccount) else row.account.organization
    title = f"{CORRECTIONS[action]}: {payer}"
    about = {"title": title, "subtitle": str(row), "row": row, "form": form, "action": action, "opts": page.opts}
    return render(request, "admin/billing/correct.html", {**page.admin_site.each_context(request), **about})


def _may_correct(request: HttpRequest) -> bool:
    return request.user.has_perm("billing.add_ledgerentry")


def _adjust(account: LedgerAccount, **about: Any) -> str:
    return f"Posted: {corrections.adjust(account.pk, **about)}."


def _reverse(entry: LedgerEntry, **about: Any) -> str:
    return f"Posted: {corrections.reverse(entry, **about)}."


def _lend(account: LedgerAccount, **about: Any) -> str:
    return f"The credit limit is {plain(thresholds.lend(account.pk, **about).credit_limit)}."


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
    actions = ["adjust", "lend"]

    def has_correct_permission(self, request: HttpRequest) -> bool:
        return _may_correct(request)

    def has_lend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("billing.change_ledgeraccount")

    @admin.action(description="Adjust the selected account", permissions=["correct"])
    def adjust(self, request: HttpRequest, chosen: QuerySet[LedgerAccount]) -> HttpResponse | None:
        return _correct(self, request, chosen, AdjustForm, _adjust)

    @admin.action(description="Set the credit limit of the selected account", permissions=["lend"])
    def lend(self, request: HttpRequest, chosen: QuerySet[LedgerAccount]) -> HttpResponse | None:
        return _correct(self, request, chosen, CreditLimitForm, _lend)


@admin.register(LedgerEntry)
class LedgerEntryAdmin(ReadOnlyAdmin[LedgerEntry]):
    """Append-only, here and in the database: a mistake is corrected by a reversal."""

    list_display = ["organization", "seq", "kind", "amount", "balance_after", "description", "reference", "created_at"]
    list_filter = ["kind", "created_at"]
    list_select_related = ["account__organization"]
    search_fields = ["reference", *_owner("account__organization")]
    ordering = ["-created_at", "-seq"]
    actions = ["reverse"]

    def has_correct_permission(self, request: HttpRequest) -> bool:
        return _may_correct(request)

    @admin.action(description="Reverse the selected entry", permissions=["correct"])
    def reverse(self, request: HttpRequest, chosen: QuerySet[LedgerEntry]) -> HttpResponse | None:
        return _correct(self, request, chosen, ReverseForm, _reverse)

    @admin.display(ordering="account")
    def organization(self, entry: LedgerEntry) -> str:
        return str(entry.account.organization)


@admin.register(Grant)
class GrantAdmin(ReadOnlyAdmin[Grant]):
    """What remains is as of the last time that it mattered: usage is allotted to the lots later."""

    id_prefix = "grant_"
    list_display = [
        *("public_id", "organization", "category", "priority", "amount", "remaining", "expires_at"),
        *("entry_seq", "created_at"),
    ]
    list_filter = ["category"]
    list_select_related = ["account__organization"]
    search_fields = _owner("account__organization")
    ordering = ["-created_at"]

    @admin.display(ordering="account")
    def organization(self, grant: Grant) -> str:
        return str(grant.account.organization)


@admin.register(Hold)
class HoldAdmin(ReadOnlyAdmin[Hold]):
    id_prefix = "hold_"
    list_display = ["public_id", "organization", "purpose", "amount", "captured", "status", "created_at", "expires_at"]
    list_filter = ["status", "purpose"]
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
    show_change_link = True  # to its tiers


class EndpointPriceInline(admin.TabularInline[EndpointPrice, Meter]):
    model = EndpointPrice
    extra = 0


class PriceTierInline(admin.TabularInline[PriceTier, Price]):
    model = PriceTier
    extra = 0


class PlanAllowanceInline(admin.TabularInline[PlanAllowance, Plan]):
    model = PlanAllowance
    extra = 0


@admin.register(Meter)
class MeterAdmin(ChangedFieldsAdmin[Meter]):
    list_display = ["slug", "name", "unit", "price"]
    list_select_related = ["price"]
    search_fields = ["slug", "name"]
    inlines = [PriceInline, EndpointPriceInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Usage names its meter for good."""
        return False


@admin.register(Price)
class PriceAdmin(ChangedFieldsAdmin[Price]):
    list_display = ["meter", "unit_amount"]
    list_select_related = ["meter"]
    search_fields = ["meter__slug"]
    readonly_fields = ["meter"]
    inlines = [PriceTierInline]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """It is made with its meter."""
        return False


@admin.register(Plan)
class PlanAdmin(ChangedFieldsAdmin[Plan]):
    list_display = ["slug", "name", "monthly_price", "is_offered"]
    search_fields = ["slug", "name"]
    inlines = [PlanAllowanceInline]
