"""The cards on file: adding a test card of the sandbox, choosing what each is for, and removing one."""

from typing import Any, ClassVar

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts.lib import identifiers
from accounts.lib.problems import Problem
from accounts.pages.forms import refuse
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.pages import receipts
from billing.pages.credits import CreditsMixin
from billing.pages.forms import SandboxCardForm
from billing.payments import methods, saving_cards


class AddCardView(CreditsMixin):
    scopes = {"post": "billing:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        if settings.PAYMENT_GATEWAY != "sandbox":
            raise Http404
        form = SandboxCardForm(request.POST)
        if not form.is_valid():
            return self.page(card_form=form, status=400)
        try:
            card = saving_cards.add(self.organization, form.cleaned_data["gateway_token"], by=self.credential.id)
        except Problem as problem:
            refuse(form, problem)
            return self.page(card_form=form, status=problem.status)
        messages.success(request, gettext("The card was added: %(card)s.") % {"card": receipts.card_name(card)})
        return self.back()


class CardMixin(CreditsMixin):
    """A form about one card."""

    def card(self) -> PaymentMethod:
        try:
            row = self.cards().filter(pk=identifiers.uuid_of(self.kwargs["card"], "pm_")).first()
        except ValueError as error:
            raise Http404 from error
        if row is None:
            raise Http404
        return row


class ChangeCardView(CardMixin):
    """Makes a card the default, or the backup that is charged when the default is declined."""

    scopes = {"post": "billing:write"}
    role: ClassVar[str] = "is_default"  # or "is_backup"; set by the URL

    def post(self, request: HttpRequest, organization: str, card: str) -> HttpResponse:
        row = self.card()
        methods.change(row, {self.role: True})
        is_default = self.role == "is_default"
        text = gettext("%(card)s is the default card now.") if is_default else gettext("%(card)s is the backup now.")
        messages.success(request, text % {"card": receipts.card_name(row)})
        return self.back()


class RemoveCardView(CardMixin):
    """Asks first, and says which card is charged from then on."""

    scopes = {"get": "billing:write", "post": "billing:write"}

    def get(self, request: HttpRequest, organization: str, card: str) -> HttpResponse:
        row = self.card()
        return render(request, "billing/remove_card.html", self.get_context_data(card=row, **self._facts(row)))

    def post(self, request: HttpRequest, organization: str, card: str) -> HttpResponse:
        row = self.card()
        methods.remove(row)
        messages.success(request, gettext("%(card)s is removed.") % {"card": receipts.card_name(row)})
        return self.back()

    def _facts(self, card: PaymentMethod) -> dict[str, Any]:
        others = self.cards().exclude(pk=card.pk).order_by("-is_default", "-created_at", "-pk")
        recharge = AutoRecharge.objects.of(self.organization).filter(enabled=True)
        named = recharge.filter(payment_method=card)
        uses = recharge.filter(payment_method=None) | named if card.is_default else named
        return {
            "following": others.first(),
            "is_recharged": uses.exists(),
            "last": Payment.objects.of(self.organization).filter(method=card).order_by("-created_at").first(),
            "underway": card.payments.filter(status__in=Payment.OPEN).exists(),
        }
