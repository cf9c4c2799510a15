"""All lots of credits, those that are used up as well."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.lib import identifiers
from accounts.lib.spreadsheets import Cell
from billing import clock
from billing.ledger import posting
from billing.models import Grant
from billing.pages.lists import FilteredListView, FilterForm
from billing.templatetags.money import places

LONGEST_NUMBER = 18  # digits that a bigint always has room for
LEFT = {"left": Q(remaining__gt=0), "spent": Q(remaining=0)}


class LotsForm(FilterForm):
    q = forms.CharField(required=False, max_length=40, label=_("Id, or number of the entry"))
    category = forms.ChoiceField(required=False, choices=[("", _("All")), *Grant.Category.choices], label=_("Lot"))
    state = forms.ChoiceField(
        required=False, choices=[("", _("All")), ("left", _("Not used up")), ("spent", _("Used up"))], label=_("Left")
    )

    def condition(self) -> Q:
        chosen = self.chosen()
        condition = LEFT.get(chosen.get("state", ""), Q())
        if category := chosen.get("category"):
            condition &= Q(category=category)
        if search := chosen.get("q"):
            number = search.removeprefix("#")
            is_number = number.isascii() and number.isdecimal() and len(number) <= LONGEST_NUMBER
            condition &= Q(entry_seq=int(number)) if is_number else identifiers.named(search, "grant_")
        return condition


class LotsView(FilteredListView):
    scopes = {"get": "credits:read"}
    section = "credits"
    title = _("Lots of credits")
    template_name = "billing/lot_list.html"
    form_class = LotsForm
    file = "lots"
    columns = ("id", "category", "priority", "amount", "remaining", "expires_at", "entry", "created_at")

    def rows(self) -> QuerySet[Grant]:
        posting.bring_up_to_date(self.organization.pk, clock.now(self.organization))
        return Grant.objects.of(self.organization).order_by("-entry_seq")

    def line(self, row: Grant) -> Sequence[Cell]:
        expires_at = row.expires_at.isoformat() if row.expires_at else None
        return (
            *(row.public_id, row.category, row.priority, row.amount, row.remaining, expires_at),
            *(row.entry_seq, row.created_at.isoformat()),
        )

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        lots = context["object_list"]
        return {
            **context,
            "lot_places": places(lot.remaining for lot in lots),
            "amount_places": places(lot.amount for lot in lots),
        }
