"""Buying credits: a page that shows the total, then one charge for each such page."""

from decimal import Decimal
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext, gettext_noop

from accounts.lib import identifiers
from accounts.lib.languages import sentence, translated
from accounts.lib.money import plain
from accounts.lib.problems import InvalidField, Problem
from accounts.pages.forms import refuse
from billing import balance, clock
from billing.exceptions import PaymentReused
from billing.invoicing import tax
from billing.models import Payment, PaymentMethod
from billing.pages import receipts
from billing.pages.credits import CreditsMixin
from billing.pages.forms import AmountForm, CheckoutForm, PurchaseForm
from billing.payments import payments, purchases, saving_cards

CHOOSE = gettext_noop("Choose one of the cards.")


class PurchaseView(CreditsMixin):
    scopes = {"get": "credits:write", "post": "credits:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = AmountForm(request.GET)
        if not self._is_chargeable(form):
            return self.page(amount_form=form, status=400)
        amount, current = form.cleaned_data["amount"], balance.of(self.organization, clock.now(self.organization))
        cards = self.cards()
        review = PurchaseForm(
            initial={"amount": amount, "method": cards.first(), "payment": identifiers.uuid7()}, cards=cards
        )
        _, taxes = purchases.assess(self.organization, amount, clock.now(self.organization))
        context = self.get_context_data(
            form=review,
            cards=cards,
            amount=amount,
            taxes=taxes,
            total=amount + tax.total(taxes),
            balance=current,
            after=current.balance + amount,
            consent=translated(saving_cards.CONSENT),
        )
        return render(request, "billing/purchase.html", context)

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        amount_form = AmountForm(request.POST)
        if not self._is_chargeable(amount_form):
            return self.page(amount_form=amount_form, status=400)
        amount = amount_form.cleaned_data["amount"]
        if "checkout" in request.POST:
            return self._check_out(amount)
        form = PurchaseForm(request.POST, cards=self.cards())
        if not form.is_valid():
            return self._review(amount, translated(CHOOSE))
        try:
            payment = self._pay(**form.cleaned_data)
        except PaymentReused as problem:
            return self._review(amount, sentence(problem))
        except InvalidField:  # The card was removed in the meantime.
            return self._review(amount, translated(CHOOSE))
        except Problem as problem:  # The account was closed in the meantime, or its organization is suspended.
            messages.error(request, sentence(problem))
            return self.back()
        receipts.tell(request, payment)
        return self._review(payment.amount) if payment.status == Payment.Status.FAILED else self.back()

    def _check_out(self, amount: Decimal) -> HttpResponse:
        """To the gateway's page, which also saves the card. It comes back to the payment's own page."""
        form = CheckoutForm(self.request.POST)
        if not form.is_valid():
            return self._review(amount)
        try:
            payment = self._pay(amount, None, form.cleaned_data["payment"])
        except Problem as problem:
            messages.error(self.request, sentence(problem))
            return self.back()
        if payment.action_url:
            context = self.get_context_data(address=payment.action_url, title=gettext("Buy credits"))
            return render(self.request, "billing/leave.html", context)
        receipts.tell(self.request, payment)
        return self.back()

    def _is_chargeable(self, form: AmountForm) -> bool:
        """Whether the form is valid and its amount can be charged in the account's currency."""
        currency = balance.of(self.organization, clock.now(self.organization)).currency
        if form.is_valid() and currency:
            try:
                purchases.assess(self.organization, form.cleaned_data["amount"], clock.now(self.organization))
            except Problem as problem:
                refuse(form, problem)
        return form.is_valid()

    def _pay(self, amount: Decimal, method: PaymentMethod | None, payment: UUID) -> Payment:
        """With a card on file, or on the gateway's page."""
        begun = purchases.begin(
            self.organization,
            amount=amount,
            method=method.public_id if method else None,
            checkout=method is None,
            by=self.credential.id,
            id=payment,
        )
        return payments.complete(begun.pk)

    def _review(self, amount: Decimal, error: str = "") -> HttpResponse:
        """Show the page with the total again, for a new payment."""
        if error:
            messages.error(self.request, error)
        address = reverse("billing:buy", args=[self.organization.public_id])
        return redirect(f"{address}?{urlencode({'amount': plain(amount)})}")
