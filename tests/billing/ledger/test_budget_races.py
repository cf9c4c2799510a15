"""Budgets and alerts under many callers at once. Each race has its negative control: without the guard, the bug is
seen."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts import people
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.exceptions import BudgetExceeded
from billing.ledger import alerts, budgets, holds, leases, posting, thresholds
from billing.models import Hold, LedgerEntry
from tests import announcements, factories
from tests.concurrency import dont_lock, race
from tests.usage.metering.batches import event, record

THREADS = 50
HOUR = timedelta(hours=1)
CROSSED = [("budget.crossed", threshold) for threshold in alerts.THRESHOLDS]

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def payer(committed: None) -> Organization:
    """Has 1,000 credits."""
    organization = factories.organization()
    factories.credit(organization, 1000)
    return organization


def capped(payer: Organization) -> list[tuple[Organization, ApiKey | None]]:
    """Where a cap of 100 binds: on the payer, which holds for itself."""
    return [(budgets.limit(payer, Decimal(100), now=timezone.now()), None)]


def capped_above(payer: Organization) -> list[tuple[Organization, ApiKey | None]]:
    """On a parent above two children, which hold."""
    budgets.limit(payer, Decimal(100), now=timezone.now())
    return [(people.add_child(payer, name=name), None) for name in ("One", "Two")]


def capped_between(payer: Organization) -> list[tuple[Organization, ApiKey | None]]:
    """On a node between the payer and two children."""
    middle = budgets.limit(people.add_child(payer, name="Middle"), Decimal(100), now=timezone.now())
    return [(people.add_child(middle, name=name), None) for name in ("One", "Two")]


def capped_key(payer: Organization) -> list[tuple[Organization, ApiKey | None]]:
    """On a key."""
    return [(payer, factories.key(payer, monthly_budget=Decimal(100))[0])]


def hold(organization: Organization, key: ApiKey | None = None) -> Hold:
    return holds.place(organization, amount=Decimal(10), ttl=HOUR, key=key, now=timezone.now())


def races(where: list[tuple[Organization, ApiKey | None]]) -> list[Any]:
    return race([partial(hold, *pair) for pair in (where * THREADS)[:THREADS]])


@pytest.mark.parametrize("cap", [capped, capped_above, capped_between, capped_key])
def test_of_fifty_holds_just_those_that_the_budget_allows_are_placed(
    payer: Organization, cap: Callable[[Organization], Any]
) -> None:
    results = races(cap(payer))
    assert sum(isinstance(result, Hold) for result in results) == 10
    assert sum(isinstance(result, BudgetExceeded) for result in results) == 40
    assert Hold.objects.of(payer).count() == 10


@pytest.mark.parametrize("cap", [capped, capped_above, capped_key])
def test_without_the_lock_more_would_be_placed(
    payer: Organization, monkeypatch: pytest.MonkeyPatch, cap: Callable[[Organization], Any]
) -> None:
    """The control of the test above."""
    where, all_are_admitted, admit = cap(payer), Barrier(THREADS), budgets.admit

    def slowly(*arguments: Any, **options: Any) -> Decimal:
        granted = admit(*arguments, **options)
        all_are_admitted.wait(timeout=30)
        return granted

    dont_lock(monkeypatch)
    monkeypatch.setattr(budgets, "admit", slowly)
    assert sum(isinstance(result, Hold) for result in races(where)) == THREADS


def test_leases_share_a_budget_to_the_last_of_it(payer: Organization) -> None:
    budgets.limit(payer, Decimal(100), now=timezone.now())
    terms: dict[str, Any] = {"amount": Decimal(15), "minimum": Decimal(5), "ttl": HOUR}
    results = race([lambda: leases.take(payer, **terms, now=timezone.now())] * 20)
    granted = sorted(result.amount for result in results if isinstance(result, Hold))
    assert granted == [10, *[15] * 6]


def test_holds_captures_and_releases_at_once_leave_what_is_counted(payer: Organization) -> None:
    """Each thread holds 10, and captures 4 of it, or releases it."""
    budgets.limit(payer, Decimal(1000), now=timezone.now())

    def use(number: int) -> Hold:
        mine = hold(payer)
        return (
            holds.capture(mine, Decimal(4), now=timezone.now())
            if number % 2
            else holds.release(mine, now=timezone.now())
        )

    assert all(isinstance(result, Hold) for result in race([partial(use, number) for number in range(20)]))
    state = budgets.of(payer, timezone.now())
    assert [state.spent, state.held, state.left] == [40, 0, 960]


def test_admissions_that_meet_a_new_budget_come_before_it_or_after_it(payer: Organization) -> None:
    race([partial(budgets.limit, payer, Decimal(30), now=timezone.now()), *[partial(hold, payer)] * 20])
    assert Hold.objects.of(payer).count() >= 3
    with pytest.raises(BudgetExceeded):
        hold(payer)


# Alerts


def use(payer: Organization, credits: int) -> None:
    """A thousand requests cost a credit."""
    [result] = record(event(payer, quantity=credits * 1000))
    assert result.result == "accepted"


def announced(payer: Organization) -> list[tuple[Any, ...]]:
    rows = announcements.of(payer)
    return [(row.type, *([row.data["threshold"]] if "threshold" in row.data else [])) for row in rows]


def test_each_threshold_is_crossed_once_by_twenty_at_once(payer: Organization) -> None:
    budgets.limit(payer, Decimal(100), now=timezone.now())
    thresholds.set_low_balance(payer, Decimal(950), now=timezone.now())
    assert race([lambda: use(payer, 10)] * 20) == [None] * 20
    assert sorted(announced(payer)) == sorted([*CROSSED, ("credits.low",)])
    assert [row for row in announced(payer) if len(row) == 2] == CROSSED


def look(payer: Organization) -> None:
    with transaction.atomic():
        alerts.check([payer.pk], datetime.now(UTC), [(payer.pk, None)])


@pytest.fixture
def unannounced(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> Organization:
    """Has crossed everything, and nobody has looked. All who look see that at the same moment."""
    with monkeypatch.context() as blind:
        blind.setattr(alerts, "check", lambda *arguments: None)
        budgets.limit(payer, Decimal(10), now=timezone.now())
        thresholds.set_low_balance(payer, Decimal(2000), now=timezone.now())
        use(payer, 10)
    all_have_looked, different = Barrier(10), alerts._different

    def together(*arguments: Any) -> Any:
        changes = different(*arguments)
        all_have_looked.wait(timeout=30)
        return changes

    monkeypatch.setattr(alerts, "_different", together)
    return payer


def test_those_who_look_at_once_without_a_lock_tell_it_once(unannounced: Organization) -> None:
    assert race([lambda: look(unannounced)] * 10) == [None] * 10
    assert sorted(announced(unannounced)) == sorted([*CROSSED, ("credits.low",)])


def test_if_nobody_expected_what_was_told_before_all_would_tell_it(
    unannounced: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above."""
    for name, guard in (("ALERTED", "alerted = %(before)s"), ("LOW", "is_low = (%(before)s = 1)")):
        blind = getattr(alerts, name).replace(f"AND {guard}", f"AND ({guard} OR true)")
        assert blind != getattr(alerts, name)
        monkeypatch.setattr(alerts, name, blind)
    race([lambda: look(unannounced)] * 10)
    assert len(announced(unannounced)) == 40


def test_a_balance_that_goes_up_and_down_is_low_and_recovers_in_turns(payer: Organization) -> None:
    thresholds.set_low_balance(payer, Decimal(1000), now=timezone.now())

    def pay() -> None:
        posting.post(payer.pk, kind=LedgerEntry.Kind.PURCHASE, amount=Decimal(10), now=timezone.now())

    assert race([pay, lambda: use(payer, 10)] * 10) == [None] * 20
    assert announced(payer) == [("credits.low",), ("credits.recovered",)] * (len(announced(payer)) // 2)


def test_sweeps_at_once_tell_it_once(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as blind:
        blind.setattr(alerts, "check", lambda *arguments: None)
        thresholds.set_low_balance(payer, Decimal(500), now=timezone.now())
        use(payer, 600)
    race([lambda: alerts.sweep(datetime.now(UTC))] * 10)
    assert announced(payer) == [("credits.low",)]
