from decimal import Decimal
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.generic import ListView

from accounts.lib import identifiers
from accounts.lib.money import plain
from accounts.lib.problems import Conflict, InvalidField, Problem
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from billing import accounts, balance
from billing.exceptions import PaymentReused
from billing.ledger import posting
from billing.models import LedgerEntry, Payment, PaymentMethod
from billing.pages import receipts
from billing.pages.forms import AmountForm, BillingAccountForm, LedgerForm, PurchaseForm, SandboxCardForm, presets
from billing.payments import methods, payments
from billing.templatetags.money import places

PAYMENTS_SHOWN = 10


class CreditsMixin(OrganizationMixin):
    """The credits page, and the actions that come back to it with what was wrong."""

    section = "credits"

    def cards(self) -> QuerySet[PaymentMethod]:
        return PaymentMethod.objects.of(self.organization).order_by("-is_default", "-created_at", "-pk")

    def page(self, *, status: int = 200, **forms: Any) -> HttpResponse:
        context = self.get_context_data(**{**self._contents(), **forms})
        return render(self.request, "billing/credits.html", context, status=status)

    def _contents(self) -> dict[str, Any]:
        mine = Payment.objects.of(self.organization).select_related("method").order_by("-created_at", "-pk")
        seen = self.may("billing:read")
        balances = balance.of(self.organization)
        contact = {"name": self.organization.name, "email": self.person.email}
        return {
            "statement": balances,
            "sum_places": places(balances.figures),
            "cards": self.cards() if seen else [],
            "payments": mine[:PAYMENTS_SHOWN] if seen else [],
            "presets": presets(balances.currency),
            "amount_form": AmountForm(),
            "account_form": BillingAccountForm(initial=contact),
            "card_form": SandboxCardForm() if settings.PAYMENT_GATEWAY == "sandbox" else None,
        }

    def back(self) -> HttpResponse:
        return redirect("billing:credits", self.organization.public_id)


class CreditsView(CreditsMixin):
    """Balances, buying credits, cards and the latest payments."""

    scopes = {"get": "credits:read"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if not self.organization.is_root:
            return render(request, "billing/billed_by_root.html", self.get_context_data(title="Credits"))
        return self.page()


class CreateAccountView(CreditsMixin):
    scopes = {"post": "account:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = BillingAccountForm(request.POST)
        if not form.is_valid():
            return self.page(account_form=form, status=400)
        try:
            accounts.create(self.organization, **form.cleaned_data)
            messages.success(request, "Your billing account is made.")
        except accounts.AccountExists as error:
            messages.info(request, str(error))
        return self.back()


class AddCardView(CreditsMixin):
    scopes = {"post": "billing:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        if settings.PAYMENT_GATEWAY != "sandbox":
            raise Http404
        form = SandboxCardForm(request.POST)
        if not form.is_valid():
            return self.page(card_form=form, status=400)
        try:
            card = methods.add(self.organization, form.cleaned_data["gateway_token"])
        except Problem as problem:
            refuse(form, problem)
            return self.page(card_form=form, status=problem.status)
        messages.success(request, f"The card is on file: {receipts.card_name(card)}.")
        return self.back()


class PurchaseView(CreditsMixin):
    """The total before the button; then the charge, once for each page that showed a total."""

    scopes = {"get": "credits:write", "post": "credits:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = AmountForm(request.GET)
        if not self._accepts(form):
            return self.page(amount_form=form, status=400)
        if not self.cards().exists():
            messages.info(request, "Add a card first.")
            return self.back()
        amount, mine = form.cleaned_data["amount"], balance.of(self.organization)
        chosen = {"amount": amount, "method": self.cards().first(), "payment": identifiers.uuid7()}
        review = PurchaseForm(initial=chosen, cards=self.cards())
        context = self.get_context_data(form=review, amount=amount, statement=mine, after=mine.balance + amount)
        return render(request, "billing/purchase.html", context)

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        asked = AmountForm(request.POST)
        if not self._accepts(asked):
            return self.page(amount_form=asked, status=400)
        form = PurchaseForm(request.POST, cards=self.cards())
        if not form.is_valid():
            return self._again(asked.cleaned_data["amount"], "Choose one of the cards.")
        try:
            payment = self._pay(**form.cleaned_data)
        except PaymentReused as problem:
            return self._again(form.cleaned_data["amount"], str(problem))
        except InvalidField:  # the card was removed meanwhile
            return self._again(form.cleaned_data["amount"], "Choose one of the cards.")
        except Conflict as problem:  # the account was closed meanwhile
            messages.error(request, str(problem))
            return self.back()
        receipts.tell(request, payment)
        return self._again(payment.amount) if payment.status == Payment.Status.FAILED else self.back()

    def _accepts(self, form: AmountForm) -> bool:
        """Whether the form is valid, and its amount can be charged in the account's currency."""
        currency = balance.of(self.organization).currency
        if form.is_valid() and currency:
            try:
                payments.check_amount(form.cleaned_data["amount"], currency)
            except Problem as problem:
                refuse(form, problem)
        return form.is_valid()

    def _pay(self, amount: Decimal, method: PaymentMethod, payment: UUID) -> Payment:
        begun = payments.begin(
            self.organization, amount=amount, method=method.public_id, by=self.credential.id, id=payment
        )
        return payments.complete(begun.pk)

    def _again(self, amount: Decimal, why: str = "") -> HttpResponse:
        """The page with the total once more, for another payment."""
        if why:
            messages.error(self.request, why)
        address = reverse("billing:buy", args=[self.organization.public_id])
        return redirect(f"{address}?{urlencode({'amount': plain(amount)})}")


class LedgerView(OrganizationMixin, ListView[LedgerEntry]):
    """The ledger, newest first, with the balance that each entry left."""

    scopes = {"get": "credits:read"}
    section = "ledger"
    paginate_by = 50

    def get_template_names(self) -> list[str]:
        return ["billing/ledger.html" if self.organization.is_root else "billing/billed_by_root.html"]

    def get_queryset(self) -> QuerySet[LedgerEntry]:
        self.form = LedgerForm(self.request.GET, zone=self.person.timezone)
        self.form.is_valid()
        posting.current(self.organization.pk)  # what has expired is an entry
        return LedgerEntry.objects.of(self.organization).filter(self.form.condition()).order_by("-seq")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        entries = list(context["object_list"])
        amounts = [number for entry in entries for number in (entry.amount, entry.balance_after)]
        return {
            **context,
            "entries": entries,
            "places": places(amounts),
            "form": self.form,
            "is_filtered": bool(self.form.condition()),
            "title": "Ledger",
        }
