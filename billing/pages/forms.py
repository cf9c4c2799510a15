from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext, gettext_lazy

from accounts.lib import countries
from accounts.lib.languages import translated
from accounts.lib.money import NumberFormField
from billing.invoicing import vat_ids
from billing.models import BillingAccount, PaymentMethod
from billing.payments.gateways import sandbox
from billing.payments.gateways.sandbox.cards import Authentication

PRESETS = (Decimal(10), Decimal(25), Decimal(50), Decimal(100))


def presets(currency: str) -> list[Decimal]:
    """The usual amounts. A currency without decimals has small units: 1,000 yen, not 10."""
    scale = 100 if currency and countries.decimals_of(currency) == 0 else 1
    return [amount * scale for amount in PRESETS]


class BillingAccountForm(forms.ModelForm[BillingAccount]):
    country = forms.ChoiceField(
        label=gettext_lazy("Country"),
        help_text=gettext_lazy("Your first purchase sets the account's currency to this country's, for good."),
    )

    class Meta:
        model = BillingAccount
        fields = ["name", "email", "country"]
        labels = {"name": gettext_lazy("Name"), "email": gettext_lazy("Email")}
        help_texts = {
            "name": gettext_lazy("The name on your invoices."),
            "email": gettext_lazy("We send receipts and invoices here."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["country"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", gettext("Choose a country")), *countries.by_name()]


def _sandbox_cards() -> list[tuple[str, str]]:
    """The test cards that can be saved without an authentication; those that can be charged first."""
    cards = [(name, card) for name, card in sandbox.CARDS.items() if card.authentication != Authentication.TO_SAVE]
    good = [(name, f"{card.brand.title()} •••• {card.last4}") for name, card in cards if not card.decline]
    declined = gettext("Visa, declined: %(reason)s")
    bad = [(name, declined % {"reason": card.decline.reason.replace("_", " ")}) for name, card in cards if card.decline]
    return [*good, *bad]


class SandboxCardForm(forms.Form):
    """Chooses a test card of the sandbox. Real gateways take cards on a page of their own."""

    gateway_token = forms.ChoiceField(label=gettext_lazy("Test card"), choices=_sandbox_cards)


class AmountForm(forms.Form):
    amount = NumberFormField(
        label=gettext_lazy("Another amount"),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class OnceForm(forms.Form):
    """`payment` is made with the page and becomes the payment's id, so that a page sent twice pays once."""

    payment = forms.UUIDField(widget=forms.HiddenInput)


class PayForm(OnceForm):
    """To pay with a card on file."""

    method = forms.ModelChoiceField(
        PaymentMethod.objects.none(), label=gettext_lazy("Card"), widget=forms.RadioSelect, empty_label=None
    )

    def __init__(self, *args: Any, cards: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields["method"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = cards


class CheckoutForm(OnceForm, AmountForm):
    """To buy on the gateway's page."""


class PurchaseForm(PayForm, AmountForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].widget = forms.HiddenInput()


class BillingDetailsForm(BillingAccountForm):
    """The VAT id is checked with the country, and kept in its normal form."""

    class Meta(BillingAccountForm.Meta):
        fields = [
            *("name", "email", "line1", "line2", "postal_code", "city", "state", "country"),
            *("vat_id", "purchase_order"),
        ]
        labels = {
            **BillingAccountForm.Meta.labels,
            "postal_code": gettext_lazy("Postal code"),
            "city": gettext_lazy("City"),
            "state": gettext_lazy("State or province"),
            "line1": gettext_lazy("Address"),
            "line2": gettext_lazy("Address, second line"),
            "vat_id": gettext_lazy("VAT id"),
            "purchase_order": gettext_lazy("Your reference, such as a purchase order"),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("vat_id") and cleaned.get("country"):
            try:
                cleaned["vat_id"] = vat_ids.normal(cleaned["vat_id"], cleaned["country"])
            except ValueError as error:
                self.add_error("vat_id", translated(str(error)))
        return cleaned
