"""A payment that waits for its owner, and coming back from the gateway's pages."""

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext

from accounts.lib import identifiers, texts
from accounts.lib.languages import sentence
from accounts.lib.problems import NotFound, Problem
from billing.models import Payment
from billing.pages import receipts
from billing.pages.credits import CreditsMixin
from billing.payments import gateways, payments, saving_cards


class PaymentView(CreditsMixin):
    """GET shows the state of the payment. POST leads to the bank's page, or cancels the payment."""

    scopes = {"get": "credits:write", "post": "credits:write"}

    def get(self, request: HttpRequest, organization: str, payment: str) -> HttpResponse:
        current = payments.complete(self._payment(payment).pk)
        if current.is_open:
            return self._waiting(current)
        receipts.tell(request, current)
        return self.back()

    def post(self, request: HttpRequest, organization: str, payment: str) -> HttpResponse:
        current = self._payment(payment)
        try:
            if "cancel" in request.POST:
                receipts.tell(request, payments.cancel(current))
                return self.back()
            address = reverse("billing:payment", args=[self.organization.public_id, current.public_id])
            url = payments.authenticate(current, f"{settings.BASE_URL}{address}")
        except Problem as problem:
            messages.error(request, sentence(problem))
            return self.back()
        except gateways.GatewayError:
            messages.error(request, gettext("The bank can't be reached. Try again in a minute."))
            return self.back()
        return self._waiting(current, url) if url else redirect(request.path)

    def _waiting(self, payment: Payment, url: str = "") -> HttpResponse:
        """There's a trap: the browser lets no form redirect to another site. So this page links to the bank's."""
        address = url or ("" if payment.status == Payment.Status.ACTION_REQUIRED else payment.action_url)
        context: dict[str, Any] = self.get_context_data(payment=payment, address=address)
        return render(self.request, "billing/payment.html", context)

    def _payment(self, public_id: str) -> Payment:
        try:
            id = identifiers.uuid_of(public_id, "pay_")
        except ValueError as error:
            raise Http404 from error
        payment = Payment.objects.of(self.organization).select_related("method").filter(pk=id).first()
        if payment is None:
            raise Http404
        return payment


class SetupView(CreditsMixin):
    """GET is where the gateway's page comes back to with a `session`. POST opens that page."""

    scopes = {"get": "billing:write", "post": "billing:write"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        session = texts.typed(request.GET.get("session", ""))
        try:
            card = saving_cards.finish_setup(self.organization, session) if session else None
        except NotFound as error:
            raise Http404 from error
        except Problem as problem:
            messages.error(request, sentence(problem))
            return self.back()
        if card:
            messages.success(request, gettext("The card was added: %(card)s.") % {"card": receipts.card_name(card)})
        return self.back()

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        address = reverse("billing:cards", args=[self.organization.public_id])
        try:
            session = saving_cards.begin_setup(
                self.organization, return_url=f"{settings.BASE_URL}{address}", by=self.credential.id
            )
        except Problem as problem:
            messages.error(request, sentence(problem))
            return self.back()
        return render(request, "billing/leave.html", self.get_context_data(address=session.url))
