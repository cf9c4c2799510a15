"""All attempts to charge a card, also as CSV."""

from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _
from django.views.generic import ListView

from accounts.lib import spreadsheets
from accounts.lib.attachments import attachment
from accounts.pages.organizations import OrganizationMixin
from billing.models import Payment

MOST = 10_000
COLUMNS = ("id", "created_at", "purpose", "status", "currency", "amount", "tax", "total", "refunded", "failure_code")


class PaymentsForm(forms.Form):
    """Fields that are not valid don't filter."""

    status = forms.ChoiceField(required=False, choices=[("", _("All")), *Payment.Status.choices], label=_("Status"))
    purpose = forms.ChoiceField(required=False, choices=[("", _("All")), *Payment.Purpose.choices], label=_("For"))

    def condition(self) -> Q:
        return Q(**{name: value for name, value in getattr(self, "cleaned_data", {}).items() if value})


class PaymentsView(OrganizationMixin, ListView[Payment]):
    scopes = {"get": "billing:read"}
    section = "credits"
    paginate_by = 50

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.GET.get("format") == "csv":
            return attachment(_table(self.get_queryset()[:MOST]), "payments", "csv")
        return super().get(request, *args, **kwargs)

    def get_template_names(self) -> list[str]:
        return ["billing/payment_list.html" if self.organization.is_root else "billing/billed_by_root.html"]

    def get_queryset(self) -> QuerySet[Payment]:
        self.form = PaymentsForm(self.request.GET)
        self.form.is_valid()
        chosen = Payment.objects.of(self.organization).filter(self.form.condition())
        return chosen.select_related("method").order_by("-created_at", "-pk")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(title=_("Payments"), **context)
        is_filtered = bool(self.form.condition())
        return {**context, "payments": context["object_list"], "form": self.form, "is_filtered": is_filtered}


def _table(payments: QuerySet[Payment]) -> bytes:
    return spreadsheets.csv_of(
        COLUMNS,
        (
            [
                *(row.public_id, row.created_at.isoformat(), row.purpose, row.status, row.currency),
                *(row.amount, row.tax, row.total, row.refunded, row.failure_code),
            ]
            for row in payments
        ),
    )
