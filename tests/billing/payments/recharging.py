"""Auto-recharge in tests: turn it on, spend credits, run the sweep, and look at the result."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from django.utils import timezone

from accounts import events
from accounts.models import Organization
from billing import tasks
from billing.ledger import posting
from billing.models import AutoRecharge, LedgerEntry, Payment, PaymentMethod
from billing.payments import recharge, recharge_settings
from tests import factories

DECLINED = "pm_card_chargeDeclinedInsufficientFunds"


def switch_on(organization: Organization, **params: Any) -> None:
    given = {"enabled": True, "threshold": Decimal(20), **({} if "target" in params else {"amount": Decimal(50)})}
    recharge_settings.change(organization, {**given, **params}, by=events.Actor("person", "user:0"), now=timezone.now())


def spend(organization: Organization, amount: int | str) -> None:
    posting.debit(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(amount), now=timezone.now())


def sweep(**after: float) -> int:
    with time_machine.travel(timezone.now() + timedelta(**after)):
        return tasks.recharge_accounts()


def state(organization: Organization, **after: float) -> str:
    return recharge.assess(organization, timezone.now() + timedelta(**after)).code


def bought(organization: Organization) -> list[Any]:
    recharges = Payment.objects.of(organization).filter(purpose="recharge", status="succeeded")
    return list(recharges.order_by("created_at").values_list("amount", flat=True))


def pause(organization: Organization, token: str = DECLINED) -> PaymentMethod:
    """Its default card is declined in three rounds. Returns the card."""
    card = factories.card(organization, token)
    switch_on(organization)
    for hours in (0, 1.1, 7.2):
        sweep(hours=hours)
        AutoRecharge.objects.update(next_attempt_at=None)
    assert state(organization) == "paused"
    return card
