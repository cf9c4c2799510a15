from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from accounts.admin import KeptAdmin, ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from accounts.lib import countries
from accounts.lib.money import QUANTUM, NumberFormField
from billing import clock
from billing.admin import corrections
from billing.invoicing import crediting
from billing.models import Invoice, InvoiceLine, InvoiceSeries, InvoiceState, TaxRate


class CreditNoteForm(forms.Form):
    amount = NumberFormField(
        min_value=QUANTUM,
        required=False,
        help_text="In money, with the tax. All that is left of the invoice, if it is empty.",
    )
    reason = forms.CharField(
        max_length=200,
        help_text="It stands on the credit note. The net amount comes back as credits. "
        "To pay money back to a card, refund the payment instead: that issues the credit note, too.",
    )


class WriteOffForm(forms.Form):
    reason = forms.CharField(max_length=200, help_text="For the admin's history.")


def credit(invoice: Invoice, **params: Any) -> str:
    return f"Issued: {crediting.give(invoice, now=clock.now(invoice.organization), **params)}."


def write_off(invoice: Invoice, **params: Any) -> str:
    crediting.write_off(invoice, clock.now(invoice.organization))
    return f"{invoice} is uncollectible. The debt stays in the ledger."


class InvoiceLineInline(admin.TabularInline[InvoiceLine, Invoice]):
    model = InvoiceLine
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class InvoiceStateInline(admin.StackedInline[InvoiceState, Invoice]):
    model = InvoiceState
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Invoice)
class InvoiceAdmin(ReadOnlyAdmin[Invoice]):
    """Papers, which never change, here and in the database. A mistake is corrected by a credit note."""

    id_prefix = "in_"
    list_display = ["name", "kind", "organization", "status", "total", "currency", "issued_at", "due_at"]
    list_filter = ["kind", "state__status", "issued_at"]
    list_select_related = ["organization", "state"]
    search_fields = [*exactly("number"), "number__startswith", *owner_fields("organization")]
    ordering = ["-issued_at"]
    actions = ["credit", "write_off"]
    inlines = [InvoiceStateInline, InvoiceLineInline]

    @admin.display(ordering="number", description="number")
    def name(self, paper: Invoice) -> str:
        return str(paper)

    @admin.display(ordering="state__status")
    def status(self, paper: Invoice) -> str:
        return paper.state.get_status_display()

    def has_correct_permission(self, request: HttpRequest) -> bool:
        return corrections.is_allowed(request)

    @admin.action(description="Issue a credit note for the selected invoice", permissions=["correct"])
    def credit(self, request: HttpRequest, chosen: QuerySet[Invoice]) -> HttpResponse | None:
        return corrections.confirm(self, request, chosen, CreditNoteForm, credit)

    @admin.action(description="Give up the selected invoice: it is uncollectible", permissions=["correct"])
    def write_off(self, request: HttpRequest, chosen: QuerySet[Invoice]) -> HttpResponse | None:
        return corrections.confirm(self, request, chosen, WriteOffForm, write_off)


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(ReadOnlyAdmin[InvoiceSeries]):
    list_display = ["seller", "kind", "year", "last"]


class TaxRateForm(forms.ModelForm[TaxRate]):
    country = forms.ChoiceField(choices=countries.by_name)


@admin.register(TaxRate)
class TaxRateAdmin(KeptAdmin[TaxRate]):
    """A rate counts from its day on, until another one does. To end a tax, add a rate of 0."""

    form = TaxRateForm
    list_display = ["country", "region", "name", "percent", "valid_from"]
    list_filter = ["country"]
