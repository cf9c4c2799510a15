"""The verbs of holds and leases, one caller at a time. Over HTTP they are in tests/billing/api."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.db import transaction
from django.utils import timezone

from accounts import people
from accounts.models import Organization
from billing.exceptions import NotEnoughCredits
from billing.ledger import balances, budgets, holds, leases, posting
from billing.models import Hold, LedgerAccount, LedgerEntry
from tests import factories
from tests.conftest import Api

HOUR = timedelta(hours=1)


def place(organization: Organization, amount: int, **options: Any) -> Hold:
    return holds.place(organization, amount=Decimal(amount), ttl=HOUR, **options, now=timezone.now())


def take(organization: Organization, amount: int, **options: Any) -> Hold:
    return leases.take(organization, amount=Decimal(amount), ttl=HOUR, **options, now=timezone.now())


def figures(organization: Organization) -> tuple[Any, Any]:
    """Balance and reserved, as they are stored."""
    mine = LedgerAccount.objects.get(pk=organization.root_id)
    return mine.balance, mine.reserved


def use(hold: Hold, amount: int) -> None:
    """As a batch of usage does that names the hold."""
    with transaction.atomic():
        now = timezone.now()
        posting.lock([hold.account_id], now)
        holds.capture_by_usage({(hold.account_id, hold.pk): Decimal(amount)}, now)
        balances.post_usage({hold.account_id: Decimal(amount)}, now)


@pytest.mark.parametrize(("amount", "balance"), [(None, 70), (0, 100), (10, 90), (30, 70), (130, -30)])
def test_a_capture_takes_less_as_much_or_more(funded: Organization, amount: int | None, balance: int) -> None:
    hold = holds.capture(place(funded, 30), None if amount is None else Decimal(amount), now=timezone.now())
    assert (hold.status, hold.captured) == ("captured", 100 - balance)
    assert figures(funded) == (balance, 0)
    assert hold.entry_seq == (2 if amount != 0 else None)


@pytest.mark.parametrize("first", [holds.capture, holds.release])
@pytest.mark.parametrize("second", [holds.capture, holds.release])
def test_a_hold_is_resolved_once(funded: Organization, first: Any, second: Any) -> None:
    hold = place(funded, 30)
    first(hold, now=timezone.now())
    before = figures(funded)
    with pytest.raises(holds.HoldResolved):
        second(hold, now=timezone.now())
    assert figures(funded) == before


def test_what_is_held_is_not_available(funded: Organization) -> None:
    place(funded, 70)
    with pytest.raises(NotEnoughCredits) as refusal:
        place(funded, 31)
    assert refusal.value.members == {"available": 30}
    with pytest.raises(NotEnoughCredits):
        posting.debit(funded.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(31), now=timezone.now())
    assert figures(funded) == (100, 70)


def test_an_overdue_hold_never_blocks_an_admission(funded: Organization) -> None:
    """Without any sweep."""
    hold = place(funded, 100)
    with time_machine.travel(hold.expires_at, tick=False):
        assert place(funded, 60).amount == 60
        posting.debit(funded.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(40), now=timezone.now())
    assert figures(funded) == (60, 60)


def test_an_overdue_hold_is_not_there_for_whoever_reads(funded: Organization) -> None:
    hold = place(funded, 100)
    with time_machine.travel(hold.expires_at, tick=False):
        state = posting.current(funded.pk, timezone.now())
        assert state
        assert state.reserved == 0
        assert state.available == 100


def test_a_hold_lives_until_its_expiry(funded: Organization) -> None:
    hold = place(funded, 100)
    with (
        time_machine.travel(hold.expires_at - timedelta(microseconds=1), tick=False),
        pytest.raises(NotEnoughCredits),
    ):
        place(funded, 1)


def test_a_late_capture_is_a_plain_debit(funded: Organization) -> None:
    hold = place(funded, 100)
    with time_machine.travel(hold.expires_at, tick=False):
        other = place(funded, 80)
        captured = holds.capture(hold, now=timezone.now())
        assert captured.late
        assert figures(funded) == (0, 80)
        assert holds.capture(other, now=timezone.now()).captured == 80
    assert figures(funded) == (-80, 0)


def test_a_capture_is_late_whoever_found_first_that_the_hold_had_expired(funded: Organization) -> None:
    """The clock of another request may be ahead of the one that waits."""
    hold = place(funded, 10)
    with transaction.atomic():
        posting.lock([funded.pk], hold.expires_at)
    assert holds.capture(hold, now=timezone.now()).late


def test_a_capture_counts_where_the_organization_is_under_the_lock(gateway: Api, funded: Organization) -> None:
    """It may have been moved while the request waited."""
    old, new = (people.add_child(funded, name=name) for name in ("Old", "New"))
    hold = place(people.add_child(old, name="Leaf"), 10)
    assert hold.organization.path[1] == old.pk
    moved = gateway.post(f"/v1/organizations/{hold.organization.public_id}/move", {"parent": new.public_id})
    assert moved.status_code == 200
    holds.capture(hold, now=timezone.now())
    assert [budgets.of(node, timezone.now()).spent for node in (old, new, funded)] == [0, 10, 10]


def test_usage_captures_the_hold_that_it_names_and_frees_the_rest(funded: Organization) -> None:
    hold = place(funded, 30)
    use(hold, 10)
    hold.refresh_from_db()
    assert (hold.status, hold.captured) == ("captured", 10)
    assert figures(funded) == (90, 0)
    use(hold, 10)
    hold.refresh_from_db()
    assert hold.captured == 10
    assert figures(funded) == (80, 0)


def test_usage_draws_from_a_lease_that_stays_open(funded: Organization) -> None:
    lease = take(funded, 30)
    for spent, reserved in [(10, 20), (15, 5), (15, 0)]:
        use(lease, spent)
        assert figures(funded)[1] == reserved
    lease.refresh_from_db()
    assert (lease.status, lease.captured) == ("open", 40)
    assert holds.release(lease, now=timezone.now()).captured == 40
    assert figures(funded) == (60, 0)


def test_a_lease_that_was_drawn_from_frees_what_is_left_when_captured(funded: Organization) -> None:
    lease = take(funded, 30)
    place(funded, 5)
    use(lease, 10)
    assert holds.capture(lease, now=timezone.now()).captured == 30
    assert figures(funded) == (70, 5)


def test_a_lease_takes_what_there_is_down_to_its_minimum(funded: Organization) -> None:
    place(funded, 80)
    assert take(funded, 50, minimum=Decimal(20)).amount == 20
    with pytest.raises(NotEnoughCredits):
        take(funded, 50, minimum=Decimal("0.000000001"))
    assert figures(funded) == (100, 100)


def test_a_lease_is_extended_with_more_and_for_longer(funded: Organization) -> None:
    lease = take(funded, 30, grace=HOUR)
    use(lease, 40)
    with time_machine.travel(lease.created_at + HOUR / 2, tick=False):
        extended = leases.extend(lease, amount=Decimal(25), ttl=HOUR, now=timezone.now())
    assert extended.spend_until == lease.created_at + HOUR * 3 / 2
    assert extended.expires_at - extended.spend_until == HOUR
    assert figures(funded) == (60, 15)


def test_a_lease_is_not_extended_beyond_what_is_available_nor_when_it_has_ended(funded: Organization) -> None:
    lease = take(funded, 30)
    with pytest.raises(NotEnoughCredits):
        leases.extend(lease, amount=Decimal(71), ttl=HOUR, now=timezone.now())
    with time_machine.travel(lease.expires_at, tick=False), pytest.raises(leases.LeaseEnded):
        leases.extend(lease, amount=Decimal(0), ttl=HOUR, now=timezone.now())
    assert figures(funded)[0] == 100


def test_a_child_holds_what_its_root_has(funded: Organization) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    assert place(child, 100).account_id == funded.pk
    with pytest.raises(NotEnoughCredits):
        place(funded, 1)


def test_a_hold_without_an_account_is_refused(organization: Organization) -> None:
    with pytest.raises(NotEnoughCredits) as refusal:
        place(organization, 1)
    assert refusal.value.members == {"available": 0}
    assert not Hold.objects.of(organization).exists()


def test_a_capture_that_would_have_to_be_rounded_changes_nothing(funded: Organization) -> None:
    hold = place(funded, 30)
    with pytest.raises(ValueError, match="decimals"):
        holds.capture(hold, Decimal("0.0000000005"), now=timezone.now())
    hold.refresh_from_db()
    assert hold.status == "open"
    assert figures(funded) == (100, 30)


def test_a_credit_limit_can_be_held_to_its_end(funded: Organization) -> None:
    LedgerAccount.objects.of(funded).update(credit_limit=Decimal(50))
    assert place(funded, 150).amount == 150
    with pytest.raises(NotEnoughCredits):
        place(funded, 1)


def test_credits_that_come_are_there_to_be_held(funded: Organization) -> None:
    place(funded, 100)
    factories.credit(funded, 5)
    assert place(funded, 5).amount == 5
