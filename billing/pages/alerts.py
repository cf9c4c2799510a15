"""When to warn that the credits run out."""

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext, gettext_lazy

from accounts.lib.money import LARGEST, ZERO, NumberFormField
from billing import accounts, clock
from billing.ledger import thresholds
from billing.models import LedgerAccount
from billing.pages.credits import CreditsMixin


class AlertsForm(forms.Form):
    low_balance = NumberFormField(
        required=False,
        min_value=ZERO,
        max_value=LARGEST,
        label=gettext_lazy("Warn when less than this is left"),
        help_text=gettext_lazy("In credits. Leave it empty for no warning."),
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )


class AlertsView(CreditsMixin):
    scopes = {"get": "credits:read", "post": "credits:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        accounts.required(self.organization)
        ledger = LedgerAccount.objects.of(self.organization).first()
        return self._page(AlertsForm(initial={"low_balance": ledger.low_balance if ledger else None}))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        accounts.required(self.organization)
        form = AlertsForm(request.POST)
        if not form.is_valid():
            return self._page(form, status=400)
        low = form.cleaned_data["low_balance"]
        thresholds.set_low_balance(self.organization, low, now=clock.now(self.organization))
        text = gettext("There is no warning any more.") if low is None else gettext("The warning is set.")
        messages.success(request, text)
        return self.back()

    def _page(self, form: AlertsForm, *, status: int = 200) -> HttpResponse:
        context = self.get_context_data(form=form, low_balance=form.initial.get("low_balance"))
        return render(self.request, "billing/alerts.html", context, status=status)
