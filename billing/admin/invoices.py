from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy

from accounts.admin import KeptAdmin, ReadOnlyAdmin
from accounts.admin.search import exactly, owner_fields
from accounts.lib import countries
from billing.admin import change_requests
from billing.models import Invoice, InvoiceLine, InvoiceSeries, InvoiceState, TaxRate


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

    def has_credit_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "credit_note")

    def has_write_off_permission(self, request: HttpRequest) -> bool:
        return change_requests.may_ask(request, "write_off")

    @admin.action(description="Issue a credit note for the selected invoice …", permissions=["credit"])
    def credit(self, request: HttpRequest, chosen: QuerySet[Invoice]) -> HttpResponse | None:
        return change_requests.lead(self, request, "credit_note", [paper.public_id for paper in chosen])

    @admin.action(description="Give up the selected invoice: it is uncollectible …", permissions=["write_off"])
    def write_off(self, request: HttpRequest, chosen: QuerySet[Invoice]) -> HttpResponse | None:
        return change_requests.lead(self, request, "write_off", [paper.public_id for paper in chosen])


@admin.register(InvoiceSeries)
class InvoiceSeriesAdmin(ReadOnlyAdmin[InvoiceSeries]):
    list_display = ["seller", "kind", "year", "last"]


class TaxRateForm(forms.ModelForm[TaxRate]):
    country = forms.ChoiceField(choices=countries.by_name, label=gettext_lazy("Country"))


@admin.register(TaxRate)
class TaxRateAdmin(KeptAdmin[TaxRate]):
    """A rate applies from its day on, until the next one. To end a tax, add a rate of 0."""

    form = TaxRateForm
    list_display = ["country", "region", "name", "percent", "valid_from"]
    list_filter = ["country"]
