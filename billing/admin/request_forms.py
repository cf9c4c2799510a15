"""The forms of change requests: each makes the `params` of its action."""

from decimal import Decimal
from typing import Any
from uuid import UUID

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.lib import form_ids
from accounts.lib.languages import translated
from accounts.lib.money import LARGEST, QUANTUM, ZERO, NumberFormField, plain
from billing.models import EndpointPrice, Grant, Meter, Price

REASON = _("What the customer reads: in the ledger, among the events, on a paper. Say it to them.")
NOTE = _("For operators only. The customer never sees it.")


class RequestForm(forms.Form):
    """`form_id` becomes the id of the request, so that a form sent twice asks once."""

    reason = forms.CharField(min_length=10, max_length=200, label=_("Reason"), help_text=REASON)
    note = forms.CharField(
        required=False,
        max_length=4000,
        label=_("Internal note"),
        help_text=NOTE,
        widget=forms.Textarea(attrs={"rows": 3}),
    )
    form_id = forms.CharField(initial=form_ids.new, widget=forms.HiddenInput)

    field_order = ["amount", "credit_limit", "category", "priority", "expires_at", "endpoint", "unit_amount", "tiers"]

    def __init__(self, data: Any = None, *, row: Any) -> None:
        self.row = row
        super().__init__(data, initial=self.current(row))

    def current(self, row: Any) -> dict[str, Any]:
        """What the form shows first."""
        return {}

    def params(self) -> dict[str, Any]:
        """The cleaned values as JSON, without what every request has."""
        cleaned = {name: value for name, value in self.cleaned_data.items() if name not in RequestForm.base_fields}
        return {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in cleaned.items()}

    def clean_form_id(self) -> UUID:
        try:
            return form_ids.read(self.cleaned_data["form_id"])
        except ValueError as error:
            self.data = {**dict(self.data.items()), "form_id": form_ids.new()}  # the next try has a good one
            raise forms.ValidationError(translated(str(error))) from error

    def clean_expires_at(self) -> Any:
        expires_at = self.cleaned_data["expires_at"]
        if expires_at and expires_at <= timezone.now():
            raise forms.ValidationError(_("Must be in the future."))
        return expires_at


class ReverseForm(RequestForm):
    expires_at = forms.DateTimeField(
        required=False, label=_("Expires at"), help_text=_("UTC. When credits that are given back expire.")
    )


class AdjustForm(ReverseForm):
    amount = NumberFormField(
        min_value=-LARGEST,
        max_value=LARGEST,
        label=_("Amount"),
        help_text=_("In credits. A negative amount takes credits."),
    )

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount:
            raise forms.ValidationError(_("Must not be 0."))
        return amount


class GrantForm(RequestForm):
    amount = NumberFormField(min_value=QUANTUM, max_value=LARGEST, label=_("Amount"), help_text=_("In credits."))
    category = forms.ChoiceField(
        choices=[(value, _(label)) for value, label in Grant.Category.choices],
        initial=Grant.Category.PROMOTIONAL,
        label=_("Category"),
    )
    priority = forms.IntegerField(
        min_value=0, max_value=100, initial=Grant.ORDINARY, label=_("Priority"), help_text=_("0 burns first.")
    )
    expires_at = forms.DateTimeField(
        required=False, label=_("Expires at"), help_text=_("UTC. Without it they never expire.")
    )


class RefundForm(RequestForm):
    amount = NumberFormField(
        min_value=QUANTUM,
        required=False,
        label=_("Amount"),
        help_text=_("In credits. All that is left of the payment, if it is empty."),
    )
    force = forms.BooleanField(required=False, label=_("Also if the credits are spent: the balance may go below zero"))


class CreditNoteForm(RequestForm):
    amount = NumberFormField(
        min_value=QUANTUM,
        required=False,
        label=_("Amount"),
        help_text=_(
            "In money, with the tax. All that is left of the invoice, if it is empty. The net amount comes back as "
            "credits. To pay money back to a card, refund the payment instead: that issues the credit note, too."
        ),
    )


class CreditLimitForm(RequestForm):
    credit_limit = NumberFormField(
        min_value=ZERO,
        max_value=LARGEST,
        label=_("Credit limit"),
        help_text=_("How far below 0 the balance may go, in credits."),
    )


class PriceForm(RequestForm):
    endpoint = forms.CharField(
        required=False,
        max_length=2000,
        label=_("Endpoint"),
        help_text=_("For the price at one endpoint. Empty: the meter's own price."),
    )
    unit_amount = NumberFormField(
        required=False,
        min_value=ZERO,
        max_value=LARGEST,
        label=_("Price of a unit"),
        help_text=_("In credits. Empty, with an endpoint: it has no price of its own any more."),
    )
    tiers = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        label=_("Tiers"),
        help_text=_(
            "Of the meter's own price, one a line: up to how many units of a month, and the price of a unit, such as "
            "“1000 0.002”. The last may be “- 0.001”: any quantity. Empty: no tiers."
        ),
    )

    def current(self, row: Meter) -> dict[str, Any]:
        price = Price.objects.get(meter=row)
        tiers = [("-" if tier.up_to is None else plain(tier.up_to), tier.unit_amount) for tier in price.tiers.all()]
        lines = "\n".join(f"{up_to} {plain(amount)}" for up_to, amount in tiers)
        return {"unit_amount": price.unit_amount, "tiers": lines}

    def clean_tiers(self) -> list[list[Decimal | None]]:
        number = NumberFormField(min_value=ZERO)
        tiers: list[list[Decimal | None]] = []
        for line in self.cleaned_data["tiers"].splitlines():
            words = line.split()
            if len(words) != 2:
                raise forms.ValidationError(_("“%(line)s” is not a quantity and a price."), params={"line": line})
            tiers.append([None if words[0] == "-" else number.clean(words[0]), number.clean(words[1])])
        if len({up_to for up_to, _ in tiers}) < len(tiers) or Decimal(0) in [up_to for up_to, _ in tiers]:
            raise forms.ValidationError(_("Each tier needs a quantity of its own, above 0."))
        return tiers

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        endpoint, amount = cleaned.get("endpoint"), cleaned.get("unit_amount")
        if amount is None and "unit_amount" not in self.errors:
            has_own = EndpointPrice.objects.filter(meter=self.row, endpoint=endpoint).exists()
            if not (endpoint and has_own):
                self.add_error("unit_amount", _("Say a price."))
        return cleaned


FORMS: dict[str, type[RequestForm]] = {
    "adjust": AdjustForm,
    "grant": GrantForm,
    "reverse": ReverseForm,
    "refund": RefundForm,
    "credit_note": CreditNoteForm,
    "write_off": RequestForm,
    "credit_limit": CreditLimitForm,
    "suspend": RequestForm,
    "close": RequestForm,
    "resume": RequestForm,
    "price": PriceForm,
}
