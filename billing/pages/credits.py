"""The credits page: balance, buying, cards and the latest payments."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.lib.languages import sentence, translated
from accounts.lib.problems import Problem
from accounts.pages.organizations import OrganizationMixin
from billing import accounts, balance, clock
from billing.exceptions import NoBillingAccount
from billing.ledger import posting
from billing.models import Grant, Hold, Payment, PaymentMethod
from billing.pages.forms import AmountForm, BillingAccountForm, SandboxCardForm, presets
from billing.payments import saving_cards
from billing.templatetags.money import places

PAYMENTS_SHOWN = 10
LOTS_SHOWN = 20
HOLDS_SHOWN = 20


def _by_expiry(lots: list[Grant]) -> list[Grant]:
    """Those that expire, soonest first."""
    return sorted((lot for lot in lots if lot.expires_at), key=lambda lot: lot.expires_at or lot.created_at)


class CreditsMixin(OrganizationMixin):
    """Shows the credits page, or comes back to it after an action."""

    section = "credits"

    def cards(self) -> QuerySet[PaymentMethod]:
        return PaymentMethod.objects.of(self.organization).order_by("-is_default", "-created_at", "-pk")

    def page(self, *, status: int = 200, **forms: Any) -> HttpResponse:
        """The page. A form that was refused replaces its empty one."""
        context = self.get_context_data(**{**self._figures(), **self._forms(), **forms})
        return render(self.request, "billing/credits.html", context, status=status)

    def back(self) -> HttpResponse:
        return redirect("billing:credits", self.organization.public_id)

    def refused(self, problem: Problem) -> HttpResponse:
        """The form that makes a billing account is on the credits page."""
        if not isinstance(problem, NoBillingAccount):
            return super().refused(problem)
        messages.info(self.request, sentence(problem))
        return self.back()

    def _figures(self) -> dict[str, Any]:
        payments = Payment.objects.of(self.organization).select_related("method").order_by("-created_at", "-pk")
        now = clock.now(self.organization)
        may_read, current = self.may("billing:read"), balance.of(self.organization, now)
        return {
            **self._lots(now),
            "balance": current,
            "sum_places": places(current.figures),
            "cards": self.cards() if may_read else [],
            "payments": payments[:PAYMENTS_SHOWN] if may_read else [],
            "presets": presets(current.currency),
        }

    def _lots(self, now: datetime) -> dict[str, Any]:
        """The lots in the order in which they burn, and what the open holds and leases reserve."""
        posting.bring_up_to_date(self.organization.pk, now)
        lots = Grant.objects.of(self.organization).filter(remaining__gt=0)
        holds = Hold.objects.within(self.organization).with_status("open", now).select_related("organization", "key")
        shown = list(holds.order_by("expires_at", "pk")[:HOLDS_SHOWN])
        ordered = list(lots.order_by("priority", F("expires_at").asc(nulls_last=True), "created_at")[:LOTS_SHOWN])
        return {
            "lots": ordered,
            "expiring": next((lot for lot in _by_expiry(ordered) if not lot.kept), None),
            "lot_places": places(lot.remaining for lot in ordered),
            "amount_places": places(lot.amount for lot in ordered),
            "holds": shown,
            "hold_places": places(hold.amount for hold in shown),
            "open_holds": holds.count(),
        }

    def _forms(self) -> dict[str, Any]:
        contact = {"name": self.organization.name, "email": self.person.email}
        return {
            "amount_form": AmountForm(),
            "consent": translated(saving_cards.CONSENT),
            "account_form": BillingAccountForm(initial=contact),
            "card_form": SandboxCardForm() if settings.PAYMENT_GATEWAY == "sandbox" else None,
        }


class CreditsView(CreditsMixin):
    scopes = {"get": "credits:read"}

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        if not self.organization.is_root:
            return render(request, "billing/billed_by_root.html", self.get_context_data(title=_("Credits")))
        return self.page()


class CreateAccountView(CreditsMixin):
    scopes = {"post": "account:write"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = BillingAccountForm(request.POST)
        if not form.is_valid():
            return self.page(account_form=form, status=400)
        try:
            accounts.create(self.organization, **form.cleaned_data)
            messages.success(request, _("The billing account was created."))
        except accounts.AccountExists as error:
            messages.info(request, translated(str(error)))
        return self.back()
