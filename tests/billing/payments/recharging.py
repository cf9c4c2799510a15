"""Auto-recharge in tests: switched on, credits spent, the sweep run, and what came of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import time_machine
from django.utils import timezone

from accounts import events
from accounts.models import Organization
from billing import tasks
from billing.ledger import posting
from billing.models import AutoRecharge, LedgerEntry, Payment
from billing.payments import recharge
from tests import factories

DECLINED = "pm_card_chargeDeclinedInsufficientFunds"


def switch_on(organization: Organization, **params: Any) -> None:
    given = {"enabled": True, "threshold": Decimal(20), **({} if "target" in params else {"amount": Decimal(50)})}
    recharge.change(organization, {**given, **params}, by=events.Actor("person", "user:0"), now=timezone.now())


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


def pause(organization: Organization) -> None:
    """Its card was declined in three rounds."""
    factories.card(organization, DECLINED)
    switch_on(organization)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    assert state(organization) == "paused"
