"""Clearance: may an organization create a service now? Every reason against it, with what to do about each.

The payer is the root of the organization's tree, so a child is cleared by its root. A child may not see what the root
has and owes: it only learns what is wrong, and who can fix it. Everything is checked under the payer's lock. With a
hold, the credits are reserved in the same transaction, so simultaneous clearances never exceed what is available.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from django.conf import settings
from django.db import transaction

from accounts.lib.money import ZERO, plain
from accounts.models import Organization
from billing.exceptions import BudgetExceeded
from billing.invoicing import subscriptions
from billing.ledger import budgets, holds, posting
from billing.models import BillingAccount, Hold, Invoice, LedgerAccount, Subscription

TO_CHILDREN = {
    "billing_account_required": "The organization that pays has no billing account yet.",
    "subscription_past_due": "The plan is past due. The organization that pays has to pay it.",
    "invoice_past_due": "An invoice is past due. The organization that pays has to pay it.",
    "not_enough_credits": "There are not enough credits. The organization that pays has to add some.",
}


@dataclass(frozen=True)
class Reason:
    """Why not: a stable code, a sentence, and the page on which something can be done; None if only others can."""

    code: str
    detail: str
    action_url: str | None = None


@dataclass(frozen=True)
class Clearance:
    reasons: list[Reason] = field(default_factory=list)
    hold: Hold | None = None

    @property
    def is_allowed(self) -> bool:
        return not self.reasons


@transaction.atomic
def clear(
    organization: Organization,
    *,
    now: datetime,
    cost: Decimal = ZERO,
    ttl: timedelta | None = None,
    reference: str = "",
    by_platform: bool = False,
) -> Clearance:
    """Check a service that needs `cost` credits. If it is allowed and there is a `ttl`, the credits are held for that
    time.
    """
    payer = organization.root
    zone = posting.lock([payer.pk], now)[payer.pk].zone
    reasons = [*_standing(organization, payer), *_debts(payer)]
    if cost:
        reasons += _credits(payer, cost)
        try:
            budgets.admit(organization, None, cost, month=zone.month_of(now), now=now)
        except BudgetExceeded as error:
            reasons.append(Reason("budget_exceeded", str(error), _page(organization, "")))
    if not (organization.is_root or by_platform):
        reasons = [_as_told_to_children(reason) for reason in reasons]
    if reasons or not cost or ttl is None:
        return Clearance(reasons)
    hold = holds.place(organization, amount=cost, ttl=ttl, now=now, reference=reference, by_platform=by_platform)
    return Clearance([], hold)


def _standing(organization: Organization, payer: Organization) -> list[Reason]:
    reasons = []
    if not organization.is_operational:
        reasons.append(Reason("suspended", "The organization, or one above it, is suspended."))
    if not BillingAccount.objects.of(payer).open().exists():
        detail = "The organization that pays has no billing account yet."
        reasons.append(Reason("billing_account_required", detail, _page(payer, "credits/")))
    return reasons


def _debts(payer: Organization) -> list[Reason]:
    reasons, subscription = [], subscriptions.live(payer)
    if subscription and subscription.status == Subscription.Status.PAST_DUE:
        detail = f"{subscription.plan.name} is past due: {plain(subscription.price)} credits are needed."
        reasons.append(Reason("subscription_past_due", detail, _page(payer, "plan/")))
    if Invoice.objects.of(payer).filter(state__status="past_due").exists():
        reasons.append(Reason("invoice_past_due", "An invoice is past due.", _page(payer, "invoices/")))
    return reasons


def _credits(payer: Organization, cost: Decimal) -> list[Reason]:
    """Read under the lock, with nothing due."""
    available = (LedgerAccount.objects.of(payer).first() or LedgerAccount()).available
    if available >= cost:
        return []
    detail = f"{plain(cost)} credits are needed, and {plain(available)} are available."
    return [Reason("not_enough_credits", detail, _page(payer, "credits/"))]


def _as_told_to_children(reason: Reason) -> Reason:
    return Reason(reason.code, TO_CHILDREN[reason.code]) if reason.code in TO_CHILDREN else reason


def _page(organization: Organization, path: str) -> str:
    return f"{settings.BASE_URL}/o/{organization.public_id}/{path}"
