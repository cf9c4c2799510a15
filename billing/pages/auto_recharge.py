"""The settings of auto-recharge, with a sentence about what will happen next."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.utils.translation import gettext, gettext_lazy

from accounts import events
from accounts.lib.money import ZERO, NumberFormField, plain
from accounts.lib.problems import Problem
from accounts.pages.forms import refuse
from billing import accounts, clock
from billing.models import PaymentMethod
from billing.pages import receipts
from billing.pages.credits import CreditsMixin
from billing.payments import recharge, recharge_sentence, recharge_settings


def _amount(label: Promise, help_text: Promise | str = "") -> NumberFormField:
    text = forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"})
    return NumberFormField(label=label, help_text=help_text, widget=text, min_value=ZERO, required=False)


class AutoRechargeForm(forms.Form):
    enabled = forms.BooleanField(
        label=gettext_lazy("Buy credits automatically"),
        required=False,
        help_text=gettext_lazy(recharge_settings.CONSENT),
    )
    threshold = _amount(gettext_lazy("When less than this is left"))
    amount = _amount(gettext_lazy("Buy this much"), gettext_lazy("Or name a target instead."))
    target = _amount(gettext_lazy("Or buy up to this balance"))
    payment_method = forms.ChoiceField(label=gettext_lazy("Card"), required=False)
    monthly_limit = _amount(gettext_lazy("At most this much per month"))
    monthly_count = forms.IntegerField(
        label=gettext_lazy("At most this often per month"), min_value=1, max_value=10_000, required=False
    )

    def __init__(self, *args: Any, cards: QuerySet[PaymentMethod], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        card = self.fields["payment_method"]
        assert isinstance(card, forms.ChoiceField)
        named = [(row.public_id, receipts.card_name(row)) for row in cards]
        card.choices = [("", gettext("The default card")), *named]


class AutoRechargeView(CreditsMixin):
    scopes = {"get": "credits:read", "post": "credits:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        accounts.required(self.organization)
        settings = recharge.of(self.organization)
        values = {name: getattr(settings, name) for name in AutoRechargeForm.base_fields}
        initial = {name: plain(value) if isinstance(value, Decimal) else value for name, value in values.items()}
        card = settings.payment_method
        return self._page(self._form(initial={**initial, "payment_method": card.public_id if card else ""}))

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = self._form(request.POST)
        now = clock.now(self.organization)
        if form.is_valid():
            try:
                by = events.actor_of(self.credential)
                recharge_settings.change(self.organization, form.cleaned_data, by=by, now=now)
                recharge.run(self.organization, now)
            except Problem as problem:
                refuse(form, problem)
        if not form.is_valid():
            return self._page(form, status=400)
        messages.success(request, recharge.assess(self.organization, clock.now(self.organization)).sentence)
        return self.back()

    def _form(self, data: Any = None, **initial: Any) -> AutoRechargeForm:
        return AutoRechargeForm(data, cards=self.cards(), **initial)

    def _page(self, form: AutoRechargeForm, *, status: int = 200) -> HttpResponse:
        state = recharge.assess(self.organization, clock.now(self.organization))
        context = self.get_context_data(
            form=form,
            state=state,
            may_retry=state.code in ("paused", "declined") and self.may("credits:write"),
            sentence=recharge_sentence.describe(form.cleaned_data if form.is_bound else form.initial),
            texts=recharge_sentence.TEXTS,
        )
        return render(self.request, "billing/auto_recharge.html", context, status=status)


class RetryView(CreditsMixin):
    """Ends a pause, and tries the cards again if credits are low."""

    scopes = {"post": "credits:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        accounts.required(self.organization)
        recharge.retry(self.organization, clock.now(self.organization))
        messages.info(request, recharge.assess(self.organization, clock.now(self.organization)).sentence)
        return redirect("billing:auto-recharge", organization)
