"""All holds and leases, of the organization and of those beneath it."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.lib import identifiers
from accounts.lib.spreadsheets import Cell
from billing import clock
from billing.models import Hold
from billing.pages.lists import FilteredListView, FilterForm
from billing.templatetags.money import places


class HoldsForm(FilterForm):
    q = forms.CharField(required=False, max_length=100, label=_("Id, reference or key"))
    status = forms.ChoiceField(required=False, choices=[("", _("All")), *Hold.Status.choices], label=_("Status"))
    purpose = forms.ChoiceField(required=False, choices=[("", _("All")), *Hold.Purpose.choices], label=_("What"))

    def condition(self) -> Q:
        """Without the status, which depends on the time."""
        chosen = self.chosen()
        condition = Q(purpose=chosen["purpose"]) if "purpose" in chosen else Q()
        if search := chosen.get("q"):
            key = Q(key__public_id=search) | Q(key__name__icontains=search)
            condition &= identifiers.named(search, "hold_") | Q(reference__icontains=search) | key
        return condition


class HoldsView(FilteredListView):
    scopes = {"get": "credits:read"}
    section = "credits"
    title = _("Holds and leases")
    template_name = "billing/hold_list.html"
    form_class = HoldsForm
    file = "holds"
    most = 10_000
    columns = (
        *("id", "purpose", "status", "organization", "key_id", "reference", "amount", "captured"),
        *("created_at", "expires_at"),
    )

    def rows(self) -> QuerySet[Hold]:
        self.now = clock.now(self.organization)
        rows = Hold.objects.within(self.organization).select_related("organization", "key").order_by("-pk")
        status = self.form.chosen().get("status")
        return rows.with_status(status, self.now) if status else rows

    def get_template_names(self) -> list[str]:
        """An organization beneath has holds of its own, though its root pays."""
        return [self.template_name]

    def line(self, row: Hold) -> Sequence[Cell]:
        return (
            *(row.public_id, row.purpose, row.status_at(self.now), row.organization.public_id),
            *(row.key.public_id if row.key else None, row.reference, row.amount, row.captured),
            *(row.created_at.isoformat(), row.expires_at.isoformat()),
        )

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        holds = context["object_list"]
        return {
            **context,
            "holds": [(hold, Hold.Status(hold.status_at(self.now)).label) for hold in holds],
            "hold_places": places(hold.amount for hold in holds),
            "captured_places": places(hold.captured for hold in holds),
        }
