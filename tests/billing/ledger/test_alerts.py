"""Events about budgets and low balances: each crossing and each recovery is one event."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from time_machine import travel

from accounts import people
from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing import tasks
from billing.ledger import budgets, expiry_sweep, holds, posting, thresholds
from billing.ledger.lots import Lot
from billing.models import LedgerAccount, LedgerEntry
from tests import announcements, factories
from tests.usage.metering.batches import event, record
from usage.storage import partitions

Kind = LedgerEntry.Kind
NOW = datetime(2026, 3, 15, 12, tzinfo=UTC)


def use(owner: Organization | ApiKey, credits: int | str, **fields: Any) -> None:
    """A thousand requests cost a credit."""
    [result] = record(event(owner, quantity=int(Decimal(credits) * 1000), **fields))
    assert result.result == "accepted"


def announced(organization: Organization) -> list[tuple[Any, ...]]:
    """The types of its events, oldest first, with the threshold of those that have one."""
    rows = announcements.of(organization)
    return [(row.type, *([row.data["threshold"]] if "threshold" in row.data else [])) for row in rows]


def last(organization: Organization) -> dict[str, Any]:
    return dict(announcements.of(organization).reverse()[0].data)


def sweep() -> None:
    tasks.sweep_alerts()


@pytest.fixture
def key(alice: User, funded: Organization) -> ApiKey:
    """Of alice's organization, which has 100 credits. The key may spend 10 a month."""
    key, _ = factories.key(funded, created_by=alice)
    cap(key, 10)
    return key


def cap(key: ApiKey, budget: int | None) -> None:
    ApiKey.objects.filter(pk=key.pk).update(monthly_budget=budget)


# Budgets


def test_each_threshold_is_crossed_by_the_usage_that_reaches_it(key: ApiKey, funded: Organization) -> None:
    use(key, "4.999")
    assert announced(funded) == []
    for credits, threshold in (("0.001", 50), ("3", 80), ("2", 100)):
        use(key, credits)
        assert announced(funded)[-1] == ("budget.crossed", threshold)
    use(key, "5")
    assert len(announced(funded)) == 3


def test_each_threshold_that_was_passed_has_its_event(key: ApiKey, funded: Organization) -> None:
    use(key, 11)
    assert announced(funded) == [("budget.crossed", 50), ("budget.crossed", 80), ("budget.crossed", 100)]


def test_the_event_has_the_exact_figures(key: ApiKey, funded: Organization) -> None:
    use(key, "5.123")
    month = datetime.now(UTC).strftime("%Y-%m")
    data = {"subject": key.public_id, "monthly_budget": 10, "month": month, "spent": Decimal("5.123"), "threshold": 50}
    assert last(funded) == data


def test_a_child_and_its_parent_have_events_of_their_own(funded: Organization) -> None:
    child = people.add_child(funded, name="Child")
    budgets.limit(funded, Decimal(20), now=timezone.now())
    budgets.limit(child, Decimal(10), now=timezone.now())
    use(child, 8)
    assert (announced(child), announced(funded)) == ([("budget.crossed", 50), ("budget.crossed", 80)], [])
    use(child, 2)
    assert (announced(child)[2:], announced(funded)) == ([("budget.crossed", 100)], [("budget.crossed", 50)])


def test_usage_of_another_key_crosses_nothing(key: ApiKey, funded: Organization) -> None:
    use(funded, 50)
    assert announced(funded) == []


def test_a_capture_crosses_too(key: ApiKey, funded: Organization) -> None:
    hold = holds.place(funded, amount=Decimal(9), ttl=timedelta(hours=1), key=key, now=timezone.now())
    assert announced(funded) == []
    holds.capture(hold, Decimal(6), now=timezone.now())
    assert announced(funded) == [("budget.crossed", 50)]


def test_a_capture_by_usage_crosses_too(key: ApiKey, funded: Organization) -> None:
    hold = holds.place(funded, amount=Decimal(9), ttl=timedelta(hours=1), key=key, now=timezone.now())
    use(key, 6, hold=hold.public_id)
    assert announced(funded) == [("budget.crossed", 50)]


def test_a_budget_counts_from_the_first_of_the_month_however_late_it_is_set(funded: Organization) -> None:
    use(funded, 8)
    budgets.limit(funded, Decimal(10), now=timezone.now())
    assert announced(funded) == [("budget.crossed", 50), ("budget.crossed", 80)]


def test_a_budget_of_nothing_is_crossed_by_the_first_credit(funded: Organization) -> None:
    budgets.limit(funded, Decimal(0), now=timezone.now())
    assert announced(funded) == []
    use(funded, 1)
    assert announced(funded) == [("budget.crossed", 50), ("budget.crossed", 80), ("budget.crossed", 100)]


@pytest.mark.parametrize(
    ("budget", "recovered"), [(11, [100]), (15, [100, 80]), (100, [100, 80, 50]), (None, [100, 80, 50])]
)
def test_a_budget_that_is_raised_or_taken_away_is_recovered_from(
    funded: Organization, budget: int | None, recovered: list[int]
) -> None:
    budgets.limit(funded, Decimal(10), now=timezone.now())
    use(funded, 10)
    budgets.limit(funded, None if budget is None else Decimal(budget), now=timezone.now())
    assert announced(funded)[3:] == [("budget.recovered", threshold) for threshold in recovered]
    assert last(funded)["monthly_budget"] == budget
    sweep()
    assert len(announced(funded)) == 3 + len(recovered)


def test_after_a_recovery_it_is_crossed_again(funded: Organization) -> None:
    budgets.limit(funded, Decimal(10), now=timezone.now())
    use(funded, 5)
    budgets.limit(funded, Decimal(20), now=timezone.now())
    use(funded, 5)
    assert announced(funded) == [("budget.crossed", 50), ("budget.recovered", 50), ("budget.crossed", 50)]


@pytest.mark.parametrize("budget", [20, None])
@pytest.mark.parametrize("above", [1000, None])
def test_the_budget_of_a_key_is_recovered_from_by_the_sweep(
    key: ApiKey, funded: Organization, budget: int | None, above: int | None
) -> None:
    """Whether or not there is one above it."""
    budgets.limit(funded, Decimal(above) if above else None, now=timezone.now())
    use(key, 6)
    cap(key, budget)
    sweep()
    sweep()
    assert announced(funded) == [("budget.crossed", 50), ("budget.recovered", 50)]


def test_the_event_names_the_budget_of_the_key_and_not_that_above(key: ApiKey, funded: Organization) -> None:
    budgets.limit(funded, Decimal(1000), now=timezone.now())
    use(key, 6)
    cap(key, None)
    sweep()
    assert (last(funded)["subject"], last(funded)["monthly_budget"]) == (key.public_id, None)


def test_the_budget_of_a_key_that_is_set_below_what_was_spent_is_crossed_by_the_sweep(
    key: ApiKey, funded: Organization
) -> None:
    cap(key, None)
    use(key, 6)
    assert announced(funded) == []
    cap(key, 10)
    sweep()
    sweep()
    assert announced(funded) == [("budget.crossed", 50)]


@pytest.fixture
def kathmandu(alice: User, organization: Organization) -> Organization:
    """A month begins there at 18:15 UTC on the last of the one before."""
    Organization.objects.filter(pk=organization.pk).update(timezone="Asia/Kathmandu")
    partitions.ensure(NOW)
    factories.credit(organization, 100)
    return Organization.objects.get(pk=organization.pk)


def test_a_new_month_of_the_payers_is_recovered_from_by_the_sweep(kathmandu: Organization) -> None:
    with travel("2026-03-31T18:14:00Z", tick=False):
        budgets.limit(kathmandu, Decimal(10), now=timezone.now())
        use(kathmandu, 6)
        sweep()
        assert announced(kathmandu) == [("budget.crossed", 50)]
    with travel("2026-03-31T18:15:00Z", tick=False):
        sweep()
        sweep()
        assert announced(kathmandu) == [("budget.crossed", 50), ("budget.recovered", 50)]
        assert last(kathmandu)["month"] == "2026-03"
        use(kathmandu, 6)
    assert announced(kathmandu)[2:] == [("budget.crossed", 50)]
    assert last(kathmandu)["month"] == "2026-04"


def test_what_arrives_late_for_a_month_that_is_past_crosses_nothing(kathmandu: Organization) -> None:
    with travel("2026-03-31T18:15:00Z", tick=False):
        budgets.limit(kathmandu, Decimal(10), now=timezone.now())
        use(kathmandu, 6, occurred_at="2026-03-31T18:14:59Z")
        sweep()
    assert announced(kathmandu) == []


# Low balances


def set_low_balance(organization: Organization, low_balance: int | None) -> None:
    thresholds.set_low_balance(organization, None if low_balance is None else Decimal(low_balance), now=timezone.now())


def test_a_balance_is_low_below_the_threshold_and_not_at_it(funded: Organization) -> None:
    set_low_balance(funded, 50)
    use(funded, 50)
    assert announced(funded) == []
    use(funded, "0.001")
    use(funded, 1)
    assert announced(funded) == [("credits.low",)]
    first = announcements.of(funded).get()
    assert first.data == {"balance": Decimal("49.999"), "low_balance": 50}


def test_a_purchase_recovers(funded: Organization) -> None:
    set_low_balance(funded, 50)
    use(funded, 60)
    posting.post(funded.pk, kind=Kind.PURCHASE, amount=Decimal(9), now=timezone.now())
    assert announced(funded) == [("credits.low",)]
    posting.post(funded.pk, kind=Kind.PURCHASE, amount=Decimal(1), now=timezone.now())
    assert announced(funded) == [("credits.low",), ("credits.recovered",)]
    use(funded, 1)
    assert announced(funded)[2:] == [("credits.low",)]


def test_a_threshold_above_the_balance_is_announced_at_once_and_lowering_it_recovers(funded: Organization) -> None:
    set_low_balance(funded, 101)
    set_low_balance(funded, 102)
    assert announced(funded) == [("credits.low",)]
    set_low_balance(funded, 100)
    assert announced(funded)[1:] == [("credits.recovered",)]


def test_what_expired_before_the_threshold_was_set_counts(funded: Organization) -> None:
    soon = datetime.now(UTC) + timedelta(minutes=5)
    posting.post(funded.pk, kind=Kind.GRANT, amount=Decimal(10), lot=Lot(expires_at=soon), now=timezone.now())
    with travel(soon + timedelta(minutes=1)):
        set_low_balance(funded, 105)
    assert announced(funded) == [("credits.low",)]


def test_taking_the_threshold_away_recovers(funded: Organization) -> None:
    set_low_balance(funded, 101)
    set_low_balance(funded, None)
    assert announced(funded) == [("credits.low",), ("credits.recovered",)]


def test_an_account_that_never_had_credits_is_low(organization: Organization) -> None:
    set_low_balance(organization, 1)
    assert announced(organization) == [("credits.low",)]
    assert LedgerAccount.objects.get().balance == 0


@pytest.mark.parametrize("kind", [Kind.SUBSCRIPTION, Kind.CHARGEBACK, Kind.ADJUSTMENT])
def test_every_kind_of_posting_announces(funded: Organization, kind: Any) -> None:
    set_low_balance(funded, 50)
    posting.post(funded.pk, kind=kind, amount=Decimal(-60), now=timezone.now())
    assert announced(funded) == [("credits.low",)]


def test_a_capture_announces(funded: Organization) -> None:
    set_low_balance(funded, 50)
    holds.capture(
        holds.place(funded, amount=Decimal(60), ttl=timedelta(hours=1), now=timezone.now()), now=timezone.now()
    )
    assert announced(funded) == [("credits.low",)]


def test_credits_that_expire_announce(organization: Organization) -> None:
    set_low_balance(organization, 50)
    soon = Lot("promotional", expires_at=datetime.now(UTC) + timedelta(hours=1))
    posting.post(organization.pk, kind=Kind.GRANT, amount=Decimal(60), lot=soon, now=timezone.now())
    with travel(datetime.now(UTC) + timedelta(hours=2)):
        expiry_sweep.expire_due(datetime.now(UTC))
    assert announced(organization) == [("credits.low",), ("credits.recovered",), ("credits.low",)]


def test_usage_that_is_debited_outside_of_a_batch_is_announced_by_the_sweep(funded: Organization) -> None:
    set_low_balance(funded, 50)
    posting.post(funded.pk, kind=Kind.USAGE, amount=Decimal(-60), now=timezone.now())
    assert announced(funded) == []
    sweep()
    sweep()
    assert announced(funded) == [("credits.low",)]


def test_a_batch_that_is_rolled_back_announces_nothing(key: ApiKey, funded: Organization) -> None:
    with transaction.atomic():
        use(key, 11)
        transaction.set_rollback(True)
    assert announced(funded) == []
    use(key, 11)
    assert len(announced(funded)) == 3
