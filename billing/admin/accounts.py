from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin import KeptAdmin, ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from accounts.lib.money import plain
from billing import accounts
from billing.admin import change_requests
from billing.invoicing import vat_ids
from billing.models import BillingAccount, LedgerAccount


class BillingAccountForm(forms.ModelForm[BillingAccount]):
    def clean_vat_id(self) -> str:
        vat_id, country = str(self.cleaned_data["vat_id"]), self.cleaned_data.get("country")
        if "vat_id" not in self.changed_data or not vat_id or not country:
            return vat_id
        try:
            return vat_ids.normal(vat_id, country)
        except ValueError as error:
            raise ValidationError(str(error)) from error


@admin.register(BillingAccount)
class BillingAccountAdmin(KeptAdmin[BillingAccount]):
    form = BillingAccountForm
    list_display = ["name", "public_id", "email", "organization", "currency", "balance", "created_at"]
    list_select_related = ["organization__ledger_account"]
    search_fields = [*exactly("public_id", "email"), *("^email", "name"), *owner_fields("organization")]
    ordering = ["-created_at"]
    personal = accounts.PERSONAL
    readonly_fields = ["public_id", "organization", "currency", "balance", "created_at"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: BillingAccount, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        if "vat_id" in form.changed_data:
            BillingAccount.objects.filter(pk=obj.pk).update(**accounts.unchecked())

    @admin.display(ordering="organization__ledger_account__balance")
    def balance(self, account: BillingAccount) -> str:
        ledger: LedgerAccount | None = getattr(account.organization, "ledger_account", None)
        return plain(ledger.balance if ledger else Decimal(0))


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin[LedgerAccount]):
    list_display = ["organization", "balance", "reserved", "credit_limit", "seq", "updated_at"]
    list_select_related = ["organization"]
    search_fields = owner_fields("organization")
    ordering = ["-updated_at"]
    actions = ["adjust", "grant", "lend"]

    def has_adjust_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "adjust")

    def has_grant_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "grant")

    def has_lend_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "credit_limit")

    @admin.action(description="Adjust the selected account …", permissions=["adjust"])
    def adjust(self, request: HttpRequest, chosen: QuerySet[LedgerAccount]) -> HttpResponse | None:
        return self._lead(request, "adjust", chosen)

    @admin.action(description="Grant credits to the selected account …", permissions=["grant"])
    def grant(self, request: HttpRequest, chosen: QuerySet[LedgerAccount]) -> HttpResponse | None:
        return self._lead(request, "grant", chosen)

    @admin.action(description="Set the credit limit of the selected account …", permissions=["lend"])
    def lend(self, request: HttpRequest, chosen: QuerySet[LedgerAccount]) -> HttpResponse | None:
        return self._lead(request, "credit_limit", chosen)

    def _lead(self, request: HttpRequest, kind: str, chosen: QuerySet[LedgerAccount]) -> HttpResponse | None:
        return change_requests.lead(self, request, kind, [row.organization.public_id for row in chosen])
