"""The sandbox gateway's own pages: what Stripe shows people on its addresses. They exist only where it is chosen."""

from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext, gettext_lazy
from django.views import View

from billing.payments.gateways import Decline, GatewayError
from billing.payments.gateways.sandbox import CARDS, visits
from billing.payments.minor_units import Money


def _choices() -> list[tuple[str, str]]:
    return [(name, f"{card.brand.title()} •••• {card.last4}: {name}") for name, card in CARDS.items()]


class CardForm(forms.Form):
    card = forms.ChoiceField(label=gettext_lazy("Test card"), choices=_choices)


class SandboxPage(View):
    """No sign-in, as at Stripe: the id in the address can't be guessed."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if settings.PAYMENT_GATEWAY != "sandbox":
            raise Http404
        try:
            return super().dispatch(request, *args, **kwargs)
        except GatewayError as error:  # unknown, used or expired
            raise Http404 from error

    def leave(self, url: str) -> HttpResponse:
        """To the address that was given for it. Browsers let no form redirect to another site, so there we link."""
        if url.startswith(f"{settings.BASE_URL}/"):
            return redirect(url)
        return render(self.request, "billing/sandbox_done.html", {"url": url})


class SessionPage(SandboxPage):
    """Saves a card, or takes a payment."""

    def get(self, request: HttpRequest, id: str) -> HttpResponse:
        return self._page(id, CardForm())

    def post(self, request: HttpRequest, id: str) -> HttpResponse:
        form = CardForm(request.POST)
        if not form.is_valid():
            return self._page(id, form, status=400)
        result = visits.complete(id, form.cleaned_data["card"])
        if isinstance(result, Decline):
            reason = (result.decline_code or result.code).replace("_", " ")
            form.add_error("card", gettext("This card was declined: %(reason)s. Try another one.") % {"reason": reason})
            return self._page(id, form, status=402)
        return self.leave(result)

    def _page(self, id: str, form: CardForm, *, status: int = 200) -> HttpResponse:
        session = visits.open_session(id).body["request"]
        price = Money(session["minor"], session["currency"]) if session["mode"] == "payment" else None
        context = {"form": form, "session": session, "price": price}
        return render(self.request, "billing/sandbox_session.html", context, status=status)


class AuthenticationPage(SandboxPage):
    """Asks the card's owner, as their bank would."""

    def get(self, request: HttpRequest, id: str) -> HttpResponse:
        visits.require_authentication(id)
        return render(request, "billing/sandbox_authentication.html")

    def post(self, request: HttpRequest, id: str) -> HttpResponse:
        return self.leave(visits.authenticate(id, succeeded=request.POST.get("answer") == "complete"))
