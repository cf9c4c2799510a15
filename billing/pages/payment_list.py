"""All attempts to charge a card."""

from collections.abc import Sequence

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.lib import identifiers
from accounts.lib.spreadsheets import Cell
from billing.models import Payment
from billing.pages.lists import FilteredListView, FilterForm

# As the badges of the list say it.
STATUSES = [
    ("", _("All")),
    (Payment.Status.PENDING, _("In progress")),
    (Payment.Status.ACTION_REQUIRED, _("To be confirmed")),
    (Payment.Status.SUCCEEDED, _("Paid")),
    (Payment.Status.FAILED, _("Declined")),
]


class PaymentsForm(FilterForm):
    q = forms.CharField(required=False, max_length=40, label=_("Id, or end of the card's number"))
    status = forms.ChoiceField(required=False, choices=STATUSES, label=_("Status"))
    purpose = forms.ChoiceField(required=False, choices=[("", _("All")), *Payment.Purpose.choices], label=_("For"))

    def condition(self) -> Q:
        chosen = self.chosen()
        search = chosen.pop("q", "")
        return Q(**chosen) & (identifiers.named(search, "pay_") | Q(method__last4=search) if search else Q())


class PaymentsView(FilteredListView):
    scopes = {"get": "billing:read"}
    section = "credits"
    title = _("Payments")
    template_name = "billing/payment_list.html"
    form_class = PaymentsForm
    file = "payments"
    columns = (
        *("id", "created_at", "purpose", "status", "currency", "amount", "tax", "total", "refunded"),
        "failure_code",
    )

    def rows(self) -> QuerySet[Payment]:
        return Payment.objects.of(self.organization).select_related("method").order_by("-created_at", "-pk")

    def line(self, row: Payment) -> Sequence[Cell]:
        return (
            *(row.public_id, row.created_at.isoformat(), row.purpose, row.status, row.currency),
            *(row.amount, row.tax, row.total, row.refunded, row.failure_code),
        )
