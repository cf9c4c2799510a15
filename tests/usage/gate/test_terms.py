"""Calls that the gate can't decide in one trip: budgets, prices in tiers, due holds and lots. And its answers."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.ledger import holds, lots, posting
from billing.models import (
    LedgerAccount,
    LedgerEntry,
    Meter,
    Plan,
    PlanAllowance,
    Price,
    PriceTier,
    Spending,
    Subscription,
)
from tests import factories
from usage import gate, metering
from usage.gate.caller import Caller
from usage.gate.query import Call
from usage.gate.verdict import Code, Verdict

Made = tuple[ApiKey, str]


@pytest.fixture
def made(funded: Organization) -> Made:
    return factories.key(funded)


def ask(secret: str, quantity: Any = 1, **fields: Any) -> Verdict:
    call = Call(secret, meter="sms", quantity=Decimal(quantity), **fields)
    verdict = gate.verify(call, Caller(factories.platform_key(), "127.0.0.1"), timezone.now())
    assert verdict
    return verdict


def use(made: Made, quantity: int) -> None:
    event = {"id": factories.unique("e"), "key_id": made[0].public_id, "meter": "sms", "quantity": quantity}
    assert metering.record([event]).count("accepted") == 1


@pytest.mark.parametrize("owner", ["key", "organization", "root"])
@pytest.mark.parametrize("hold_seconds", [None, 60])
def test_a_budget_refuses_what_would_exceed_it(funded: Organization, owner: str, hold_seconds: int | None) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    made = factories.key(child)
    ApiKey.objects.filter(pk=made[0].pk).update(monthly_budget=1 if owner == "key" else None)
    capped = {"organization": [child.pk], "root": [funded.pk]}.get(owner, [])
    Organization.objects.filter(pk__in=capped).update(monthly_budget=1)
    use(made, 40)
    verdicts = [ask(made[1], n, hold_seconds=hold_seconds) for n in (61, 60)]
    assert [verdict.code for verdict in verdicts] == [Code.BUDGET_EXCEEDED, Code.VALID]
    assert (verdicts[0].cost, verdicts[0].hold) == (Decimal("0.61"), None)


def test_what_is_held_counts_in_a_budget(made: Made) -> None:
    ApiKey.objects.filter(pk=made[0].pk).update(monthly_budget=1)
    codes = [ask(made[1], 60, hold_seconds=60).code, ask(made[1], 41).code, ask(made[1], 40).code]
    assert codes == [Code.VALID, Code.BUDGET_EXCEEDED, Code.VALID]


def test_a_budget_lets_through_what_costs_nothing(made: Made) -> None:
    ApiKey.objects.filter(pk=made[0].pk).update(monthly_budget=0)
    assert [ask(made[1], n, hold_seconds=5).code for n in (0, 1)] == [Code.VALID, Code.BUDGET_EXCEEDED]


def test_a_budget_is_of_the_month_in_the_payers_time_zone(made: Made, funded: Organization) -> None:
    ApiKey.objects.filter(pk=made[0].pk).update(monthly_budget=1)
    Organization.objects.filter(pk=funded.pk).update(timezone="Asia/Kathmandu")
    january = date(2030, 1, 1)
    Spending.objects.create(account_id=funded.pk, subject=made[0].pk, month=january, spent=1)
    with time_machine.travel("2030-01-31T18:14:59Z", tick=False):
        assert ask(made[1]).code is Code.BUDGET_EXCEEDED
    with time_machine.travel("2030-01-31T18:15:00Z", tick=False):
        assert ask(made[1]).code is Code.VALID


def test_a_limit_decides_before_a_budget_and_counts_once(made: Made) -> None:
    limits = {"monthly_budget": 0, "rate_limit": 2, "rate_limit_window_seconds": 3600}
    ApiKey.objects.filter(pk=made[0].pk).update(**limits)
    codes = [ask(made[1], hold_seconds=seconds).code for seconds in (None, 60, None)]
    assert codes == [Code.BUDGET_EXCEEDED, Code.BUDGET_EXCEEDED, Code.RATE_LIMITED]


@pytest.fixture
def tiers(db: None) -> None:
    """Ten cost 1 each, the others 0.1."""
    price = Price.objects.get(meter__slug="sms")
    Price.objects.filter(pk=price.pk).update(unit_amount=Decimal("0.1"))
    PriceTier.objects.create(price=price, up_to=10, unit_amount=1)


@pytest.mark.parametrize("hold_seconds", [None, 60])
def test_tiers_price_what_comes_after_what_was_used(tiers: None, made: Made, hold_seconds: int | None) -> None:
    assert ask(made[1], 11, hold_seconds=hold_seconds).cost == Decimal("10.1")
    use(made, 8)
    assert ask(made[1], 4, hold_seconds=hold_seconds).cost == Decimal("2.2")


def test_what_the_plan_includes_costs_nothing(made: Made, funded: Organization) -> None:
    plan = Plan.objects.create(slug="some", name="Some")
    PlanAllowance.objects.create(plan=plan, meter=Meter.objects.get(slug="sms"), included_quantity=10)
    now = timezone.now()
    period: dict[str, Any] = {"current_period_start": now, "current_period_end": now + timedelta(days=30)}
    Subscription.objects.create(organization=funded, plan=plan, **period)
    assert [ask(made[1], n, hold_seconds=5).cost for n in (10, 11)] == [0, Decimal("0.01")]


def test_a_test_keys_call_takes_no_tiers(tiers: None, funded: Organization) -> None:
    assert ask(factories.key(funded, environment="test")[1], 5).cost == 0


def test_credits_past_their_expiry_are_not_counted(organization: Organization) -> None:
    _, secret = factories.key(organization)
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False):
        lot = lots.Lot("promotional", expires_at=timezone.now() + timedelta(hours=1))
        posting.post(organization.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(5), lot=lot, now=timezone.now())
        assert ask(secret).available == 5
    with time_machine.travel("2030-01-01T13:00:00Z", tick=False):
        assert ask(secret).code is Code.INSUFFICIENT_CREDITS
        assert ask(secret).available == 0


def test_a_lot_that_is_kept_for_a_hold_stops_nobody(made: Made, funded: Organization) -> None:
    """It leaves the account due for as long as the hold is open."""
    with time_machine.travel("2030-01-01T12:00:00Z", tick=False):
        lot = lots.Lot("promotional", expires_at=timezone.now() + timedelta(hours=1))
        posting.post(funded.pk, kind=LedgerEntry.Kind.GRANT, amount=Decimal(5), lot=lot, now=timezone.now())
        holds.place(funded, amount=Decimal(105), ttl=timedelta(days=1), now=timezone.now())
        factories.credit(funded, 1)
    with time_machine.travel("2030-01-01T14:00:00Z", tick=False):
        verdicts = [ask(made[1], n, hold_seconds=60) for n in (101, 100)]
        assert LedgerAccount.objects.get(pk=funded.pk).due_at == lot.expires_at
    assert [verdict.code for verdict in verdicts] == [Code.INSUFFICIENT_CREDITS, Code.VALID]
