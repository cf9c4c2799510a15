from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q

from accounts.lib import countries, timezones
from accounts.lib.money import DIGITS, PLACES
from billing.models import BillingAccount, LedgerEntry, PaymentMethod
from billing.payments.gateways import sandbox

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2999, 12, 31)
PRESETS = (Decimal(10), Decimal(25), Decimal(50), Decimal(100))


def presets(currency: str) -> list[Decimal]:
    """The usual amounts. A currency without decimals counts in small units: 1,000 yen, not 10."""
    scale = 100 if currency and countries.decimals_of(currency) == 0 else 1
    return [amount * scale for amount in PRESETS]


class BillingAccountForm(forms.ModelForm[BillingAccount]):
    country = forms.ChoiceField(help_text="It decides the currency, with your first purchase and for good.")

    class Meta:
        model = BillingAccount
        fields = ["name", "email", "country"]
        help_texts = {"name": "As it should stand on invoices.", "email": "Where receipts and invoices go."}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        by_name = sorted(countries.names().items(), key=lambda country: country[1])
        field = self.fields["country"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = [("", "Choose a country"), *by_name]


def _sandbox_cards() -> list[tuple[str, str]]:
    good = [(token, f"{brand.title()} •••• {last4}") for token, (brand, last4) in sandbox.BRANDS.items()]
    bad = [(token, f"Visa, declined: {code.replace('_', ' ')}") for token, code in sandbox.DECLINES.items()]
    return [*good, *bad]


class SandboxCardForm(forms.Form):
    """Where a gateway has a browser component, that stands here; the sandbox has test cards to choose from."""

    gateway_token = forms.ChoiceField(label="Test card", choices=_sandbox_cards)


class AmountForm(forms.Form):
    amount = forms.DecimalField(
        label="Another amount",
        max_digits=DIGITS,
        decimal_places=PLACES,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class PurchaseForm(AmountForm):
    """`payment` is made with the page and becomes the payment's id: sent twice, it is one payment."""

    method = forms.ModelChoiceField(
        PaymentMethod.objects.none(), label="Card", widget=forms.RadioSelect, empty_label=None
    )
    payment = forms.UUIDField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, cards: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["amount"].widget = forms.HiddenInput()
        field = self.fields["method"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = cards


class LedgerForm(forms.Form):
    """What part of the ledger to show. Days are whole days of the person's time zone, both included."""

    type = forms.ChoiceField(
        required=False, choices=[("", "All types"), *((type_, f"{type_.title()}s") for type_ in LedgerEntry.TYPES)]
    )
    kind = forms.ChoiceField(required=False, choices=[("", "All kinds"), *LedgerEntry.Kind.choices])

    def __init__(self, *args: Any, zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.zone = timezones.zone(zone)
        for name in ("from", "to"):  # `from` is a word of Python's
            self.fields[name] = forms.DateField(
                required=False,
                label=name.title(),
                validators=[MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)],
                widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
            )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = self.cleaned_data
        if cleaned.get("from") and cleaned.get("to") and cleaned["from"] > cleaned["to"]:
            self.add_error("to", ValidationError("The end is before the beginning."))
        return cleaned

    def condition(self) -> Q:
        """The filter that the form says; nothing of a field that is not valid."""
        said, condition = getattr(self, "cleaned_data", {}), Q()
        if type_ := said.get("type"):
            condition &= Q(kind__in=LedgerEntry.TYPES[type_])
        if kind := said.get("kind"):
            condition &= Q(kind=kind)
        if day := said.get("from"):
            condition &= Q(created_at__gte=datetime.combine(day, time(), self.zone))
        if day := said.get("to"):
            condition &= Q(created_at__lt=datetime.combine(day + timedelta(days=1), time(), self.zone))
        return condition
