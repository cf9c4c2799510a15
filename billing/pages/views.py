from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.generic import ListView

from accounts import identifiers
from accounts.exceptions import Problem
from accounts.pages.forms import refuse
from accounts.pages.organizations import OrganizationMixin
from billing import accounts, payments, statement
from billing.exceptions import PaymentReused
from billing.models import LedgerEntry, Payment, PaymentMethod
from billing.pages import receipts
from billing.pages.forms import PRESETS, AmountForm, BillingAccountForm, LedgerForm, PurchaseForm, SandboxCardForm
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
        balances = statement.of(self.organization)
        contact = {"name": self.organization.name, "email": self.person.email}
        return {
            "statement": balances,
            "sum_places": places(balances.figures),
            "cards": self.cards() if seen else [],
            "payments": mine[:PAYMENTS_SHOWN] if seen else [],
            "presets": PRESETS,
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
            card = payments.add_method(self.organization, form.cleaned_data["gateway_token"])
        except Problem as problem:
            refuse(form, problem)
            return self.page(card_form=form, status=problem.status)
        messages.success(request, f"The card {card} is on file.")
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
        chosen = {**form.cleaned_data, "method": self.cards().first(), "payment": identifiers.uuid7()}
        return self._review(PurchaseForm(initial=chosen, cards=self.cards()), **form.cleaned_data)

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = PurchaseForm(request.POST, cards=self.cards())
        if not self._accepts(form):
            amount = form.cleaned_data.get("amount")
            return self._review(form, amount=amount, status=400) if amount else self.page(status=400)
        said = form.cleaned_data
        try:
            payment = payments.begin(
                self.organization,
                amount=said["amount"],
                method=said["method"].public_id,
                by=self.credential,
                id=said["payment"],
            )
        except PaymentReused as problem:
            messages.error(request, str(problem))
            return self._again(said["amount"])
        payment = payments.complete(payment.pk)
        receipts.tell(request, payment)
        return self._again(payment.amount) if payment.status == Payment.Status.FAILED else self.back()

    def _accepts(self, form: AmountForm) -> bool:
        """Whether the form is valid, and its amount can be charged in the account's currency."""
        currency = statement.of(self.organization).currency
        if form.is_valid() and currency:
            try:
                payments.check_amount(form.cleaned_data["amount"], currency)
            except Problem as problem:
                refuse(form, problem)
        return form.is_valid()

    def _review(self, form: PurchaseForm, *, amount: Any, status: int = 200) -> HttpResponse:
        mine = statement.of(self.organization)
        context = self.get_context_data(form=form, amount=amount, statement=mine, after=mine.balance + amount)
        return render(self.request, "billing/purchase.html", context, status=status)

    def _again(self, amount: Any) -> HttpResponse:
        address = reverse("billing:buy", args=[self.organization.public_id])
        return redirect(f"{address}?{urlencode({'amount': format(amount.normalize(), 'f')})}")


class LedgerView(OrganizationMixin, ListView[LedgerEntry]):
    """The ledger, newest first, with the balance that each entry left."""

    scopes = {"get": "credits:read"}
    section = "ledger"
    paginate_by = 50
    template_name = "billing/ledger.html"

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.organization.is_root:
            return render(request, "billing/billed_by_root.html", self.get_context_data(title="Ledger"))
        return super().get(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[LedgerEntry]:
        self.form = LedgerForm(self.request.GET, zone=self.person.timezone)
        self.form.is_valid()
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
        }
