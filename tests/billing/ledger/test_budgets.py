"""Monthly budgets of keys and organizations: admission is refused beyond them, settlement is counted."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from time_machine import travel

from accounts import people
from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing.exceptions import BudgetExceeded, NotEnoughCredits
from billing.ledger import budgets, holds, leases, posting
from billing.models import Hold
from tests import factories
from tests.conftest import Api
from tests.usage.metering.batches import event
from usage.storage import partitions

HOUR = timedelta(hours=1)


@pytest.fixture
def key(alice: User, funded: Organization) -> ApiKey:
    """Of alice's organization, which has 100 credits. The key may spend 10 a month."""
    return capped_key(funded, alice)


@pytest.fixture
def child(funded: Organization) -> Organization:
    """May spend 10 a month."""
    return budgets.limit(people.add_child(funded, name="Child"), Decimal(10), now=timezone.now())


def capped_key(organization: Organization, owner: User) -> ApiKey:
    return factories.key(organization, created_by=owner, monthly_budget=Decimal(10))[0]


def hold(organization: Organization, amount: int | str, key: ApiKey | None = None) -> Hold:
    return holds.place(organization, amount=Decimal(amount), ttl=HOUR, key=key, now=timezone.now())


def take(organization: Organization, amount: int, key: ApiKey | None = None, **options: Any) -> Hold:
    return leases.take(organization, amount=Decimal(amount), ttl=HOUR, key=key, **options, now=timezone.now())


def refused(organization: Organization, amount: int | str, key: ApiKey | None = None) -> dict[str, Any]:
    """What the refusal says; nothing has changed."""
    before = (posting.available(organization.root_id, timezone.now()), Hold.objects.count())
    with pytest.raises(BudgetExceeded) as refusal:
        hold(organization, amount, key)
    assert (posting.available(organization.root_id, timezone.now()), Hold.objects.count()) == before
    return refusal.value.members


def use(gateway: Api, owner: Organization | ApiKey, credits: int, **fields: Any) -> None:
    """A thousand requests cost a credit."""
    answer = gateway.post("/v1/usage/events", event(owner, quantity=credits * 1000, **fields))
    assert answer.json()["accepted"] == 1


def room(organization: Organization, key: ApiKey | None = None) -> Any:
    """How much more the budgets admit."""
    return refused(organization, 1000, key)["available"]


def test_a_budget_admits_all_of_it_and_no_more(key: ApiKey, funded: Organization) -> None:
    hold(funded, "9.999999999", key)
    refused(funded, "0.000000002", key)
    hold(funded, "0.000000001", key)
    assert refused(funded, "0.000000001", key)["available"] == 0


def test_the_refusal_says_whose_budget_it_is_and_what_is_left(key: ApiKey, funded: Organization) -> None:
    hold(funded, 4, key)
    assert refused(funded, 7, key) == {"subject": key.public_id, "monthly_budget": 10, "available": 6}


def test_a_key_without_a_budget_and_calls_without_a_key_are_free(key: ApiKey, funded: Organization) -> None:
    other, _ = factories.key(funded)
    hold(funded, 30, other)
    hold(funded, 30)
    assert posting.available(funded.pk, timezone.now()) == 40


def test_a_budget_of_nothing_admits_nothing(funded: Organization) -> None:
    budgets.limit(funded, Decimal(0), now=timezone.now())
    assert refused(funded, "0.000000001")["available"] == 0


def test_without_credits_a_budget_is_no_help(key: ApiKey, funded: Organization) -> None:
    hold(funded, 95)
    with pytest.raises(NotEnoughCredits):
        hold(funded, 6, key)


def test_a_budget_that_is_lowered_below_what_is_held_admits_nothing_more(funded: Organization) -> None:
    budgets.limit(funded, Decimal(10), now=timezone.now())
    mine = hold(funded, 8)
    budgets.limit(funded, Decimal(5), now=timezone.now())
    assert room(funded) == -3
    holds.release(mine, now=timezone.now())
    hold(funded, 5)


def test_a_budget_that_is_taken_away_binds_no_more(funded: Organization) -> None:
    budgets.limit(funded, Decimal(10), now=timezone.now())
    refused(funded, 11)
    budgets.limit(funded, None, now=timezone.now())
    hold(funded, 100)
    assert posting.available(funded.pk, timezone.now()) == 0


# The tree


def test_a_child_is_bound_by_its_own_budget_and_by_those_above(funded: Organization, child: Organization) -> None:
    budgets.limit(funded, Decimal(15), now=timezone.now())
    assert refused(child, 11) == {"subject": child.public_id, "monthly_budget": 10, "available": 10}
    hold(funded, 9)
    hold(child, 6)
    refused(child, 1)


def test_a_budget_above_is_not_named(funded: Organization, child: Organization) -> None:
    budgets.limit(funded, Decimal(5), now=timezone.now())
    assert refused(child, 6) == {"subject": None, "monthly_budget": None, "available": 5}


def test_of_several_budgets_the_tightest_is_told(funded: Organization, child: Organization, alice: User) -> None:
    key = capped_key(child, alice)
    hold(child, 3)
    assert refused(child, 11, key)["subject"] == child.public_id


def test_what_a_child_holds_counts_above_and_not_beside_it(funded: Organization, child: Organization) -> None:
    budgets.limit(funded, Decimal(15), now=timezone.now())
    sibling = budgets.limit(people.add_child(funded, name="Sibling"), Decimal(10), now=timezone.now())
    hold(child, 8)
    assert (room(funded), room(sibling), room(child)) == (7, 7, 2)


# What becomes of a hold


def test_what_is_captured_is_spent_and_the_rest_is_free(key: ApiKey, funded: Organization) -> None:
    holds.capture(hold(funded, 10, key), Decimal(4), now=timezone.now())
    assert room(funded, key) == 6


def test_a_capture_of_more_counts_beyond_the_budget(key: ApiKey, funded: Organization) -> None:
    holds.capture(hold(funded, 10, key), Decimal(12), now=timezone.now())
    assert room(funded, key) == -2


def test_a_release_frees_the_budget(key: ApiKey, funded: Organization) -> None:
    holds.release(hold(funded, 10, key), now=timezone.now())
    assert room(funded, key) == 10


def test_an_expired_hold_frees_the_budget_and_captured_late_it_counts(key: ApiKey, funded: Organization) -> None:
    mine = hold(funded, 10, key)
    with travel(datetime.now(UTC) + 2 * HOUR):
        assert room(funded, key) == 10
        holds.capture(mine, Decimal(7), now=timezone.now())
        assert room(funded, key) == 3


def test_usage_that_names_the_hold_counts_once(key: ApiKey, funded: Organization, gateway: Api) -> None:
    mine = hold(funded, 10, key)
    use(gateway, key, 4, hold=mine.public_id)
    assert room(funded, key) == 6


def test_usage_without_a_hold_counts_even_beyond(key: ApiKey, funded: Organization, gateway: Api) -> None:
    use(gateway, key, 12)
    assert room(funded, key) == -2


def test_usage_counts_for_its_key_and_every_node_above(
    funded: Organization, child: Organization, alice: User, gateway: Api
) -> None:
    budgets.limit(funded, Decimal(50), now=timezone.now())
    key = capped_key(child, alice)
    use(gateway, key, 4)
    use(gateway, child, 3)
    assert (room(child, key), room(child), room(funded)) == (3, 3, 43)
    assert budgets.of(child, timezone.now()).left == 3


def test_a_test_key_spends_nothing(funded: Organization, gateway: Api) -> None:
    budgets.limit(funded, Decimal(10), now=timezone.now())
    use(gateway, factories.key(funded, environment="test")[0], 4)
    assert room(funded) == 10


# Leases


def test_a_lease_is_granted_as_much_as_the_budget_has_left(key: ApiKey, funded: Organization) -> None:
    lease = take(funded, 30, key, minimum=Decimal(5))
    assert lease.amount == 10
    with pytest.raises(BudgetExceeded):
        take(funded, 30, key, minimum=Decimal(5))


def test_what_is_drawn_from_a_lease_is_spent_and_no_longer_held(
    key: ApiKey, funded: Organization, gateway: Api
) -> None:
    lease = take(funded, 8, key)
    use(gateway, key, 3, hold=lease.public_id)
    assert room(funded, key) == 2
    use(gateway, key, 6, hold=lease.public_id)
    assert room(funded, key) == 1
    holds.release(lease, now=timezone.now())
    assert room(funded, key) == 1


def test_a_lease_is_not_extended_beyond_the_budget(key: ApiKey, funded: Organization) -> None:
    lease = take(funded, 8, key)
    with pytest.raises(BudgetExceeded):
        leases.extend(lease, amount=Decimal(3), ttl=HOUR, now=timezone.now())
    assert leases.extend(lease, amount=Decimal(2), ttl=HOUR, now=timezone.now()).amount == 10


# Months


@pytest.fixture
def kathmandu(organization: Organization) -> Iterator[Organization]:
    """A month begins there at 18:15 UTC on the last of the one before. Its budget is 10, and March is about to end."""
    Organization.objects.filter(pk=organization.pk).update(timezone="Asia/Kathmandu")
    with travel("2026-03-31T18:14:00Z", tick=False):
        partitions.ensure(datetime.now(UTC))
        factories.credit(organization, 100)
        yield budgets.limit(Organization.objects.get(pk=organization.pk), Decimal(10), now=timezone.now())


def test_the_month_after_starts_at_zero_in_the_payers_time_zone(kathmandu: Organization, gateway: Api) -> None:
    use(gateway, kathmandu, 8)
    assert (room(kathmandu), f"{budgets.of(kathmandu, timezone.now()).month:%Y-%m}") == (2, "2026-03")
    with travel("2026-03-31T18:15:00Z", tick=False):
        assert (room(kathmandu), f"{budgets.of(kathmandu, timezone.now()).month:%Y-%m}") == (10, "2026-04")


def test_a_childs_month_is_its_payers(kathmandu: Organization, gateway: Api) -> None:
    child = budgets.limit(people.add_child(kathmandu, name="Child", timezone="UTC"), Decimal(10), now=timezone.now())
    use(gateway, child, 8)
    with travel("2026-03-31T18:15:00Z", tick=False):
        assert room(child) == 10


def test_usage_counts_in_the_month_in_which_it_occurred(kathmandu: Organization, gateway: Api) -> None:
    with travel("2026-03-31T18:15:00Z", tick=False):
        use(gateway, kathmandu, 8, occurred_at="2026-03-31T18:14:59Z")
        assert room(kathmandu) == 10
        use(gateway, kathmandu, 3, occurred_at="2026-03-31T18:15:00Z")
        assert room(kathmandu) == 7


def test_a_hold_over_the_end_of_the_month_counts_in_the_one_that_it_is_in(kathmandu: Organization) -> None:
    mine = hold(kathmandu, 8)
    with travel("2026-03-31T18:15:00Z", tick=False):
        assert room(kathmandu) == 2
        holds.capture(mine, now=timezone.now())
        assert room(kathmandu) == 2
    assert room(kathmandu) == 10
