"""Lots of credits, one rule at a time. That the rules hold together is in test_grants_simulation."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Organization
from billing.exceptions import NotEnoughCredits
from billing.ledger import corrections, holds, posting
from billing.ledger import lots as grants
from billing.models import Grant, LedgerAccount, LedgerEntry
from tests.billing.ledger.lot_scripts import KEPT_FIRST

Kind = LedgerEntry.Kind
HOUR = timedelta(hours=1)

Lots = list[tuple[Any, Any]]
Give = Callable[..., int]


@pytest.fixture
def give(organization: Organization) -> Give:
    """Give a lot of so many credits, to expire after so many hours; its entry's seq."""

    def give(amount: int, *, priority: int = 50, hours: int | None = None, kind: Kind = Kind.GRANT) -> int:
        expires_at = None if hours is None else timezone.now() + hours * HOUR
        lot = grants.Lot(Grant.Category.PROMOTIONAL, priority, expires_at)
        return posting.post(organization.pk, kind=kind, amount=Decimal(amount), lot=lot, now=timezone.now()).seq

    return give


def use(organization: Organization, amount: int) -> None:
    posting.post(organization.pk, kind=Kind.USAGE, amount=Decimal(-amount), now=timezone.now())


def later(hours: float) -> Any:
    return time_machine.travel(timezone.now() + hours * HOUR, tick=False)


def lots(organization: Organization) -> Lots:
    """The remaining credits of each lot, by the seq of its entry, after everything due has expired."""
    posting.bring_up_to_date(organization.pk, timezone.now())
    left = Grant.objects.of(organization).filter(remaining__gt=0)
    return list(left.order_by("entry_seq").values_list("entry_seq", "remaining"))


def balance(organization: Organization) -> Any:
    posting.bring_up_to_date(organization.pk, timezone.now())
    return LedgerAccount.objects.get(pk=organization.pk).balance


def expired(organization: Organization) -> list[Any]:
    entries = LedgerEntry.objects.of(organization).filter(kind=Kind.EXPIRY).order_by("seq")
    return [-amount for amount in entries.values_list("amount", flat=True)]


def test_lots_burn_by_priority_then_soonest_expiry_then_oldest(organization: Organization, give: Give) -> None:
    late, old, soon, first, new = give(1, hours=9), give(1), give(1, hours=2), give(1, priority=10), give(1)
    burnt: list[int] = []
    for _ in range(5):
        before = dict(lots(organization))
        use(organization, 1)
        burnt += before.keys() - dict(lots(organization)).keys()
    assert burnt == [first, soon, late, old, new]


def test_usage_leaves_the_lots_alone_until_someone_asks(organization: Organization, give: Give) -> None:
    give(10)
    use(organization, 4)
    assert Grant.objects.of(organization).get().remaining == 10
    assert lots(organization) == [(1, 6)]


def test_a_new_lot_pays_the_debt_first(organization: Organization, give: Give) -> None:
    use(organization, 7)
    assert lots(organization) == []
    seq = give(10)
    assert lots(organization) == [(seq, 3)]


def test_what_was_spent_before_a_lot_came_does_not_burn_it(organization: Organization, give: Give) -> None:
    old = give(10)
    use(organization, 4)
    first = give(5, priority=0)
    assert lots(organization) == [(old, 6), (first, 5)]


def test_expiry_takes_exactly_what_is_left(organization: Organization, give: Give) -> None:
    give(10, hours=1)
    stays = give(5)
    use(organization, 4)
    with later(1):
        assert lots(organization) == [(stays, 5)]
        assert expired(organization) == [6]
        entry = LedgerEntry.objects.of(organization).get(kind=Kind.EXPIRY)
        assert entry.reference == Grant.objects.get(account=organization.pk, entry_seq=1).public_id


def test_expired_credits_admit_nothing(organization: Organization, give: Give) -> None:
    give(10, hours=1)
    with later(1), pytest.raises(NotEnoughCredits) as refusal:
        posting.debit(organization.pk, kind=Kind.USAGE, amount=Decimal(1), now=timezone.now())
    assert refusal.value.members == {"available": 0}


def test_usage_after_an_expiry_is_not_paid_by_what_expired(organization: Organization, give: Give) -> None:
    give(10, hours=1)
    with later(1):
        use(organization, 4)
        assert balance(organization) == -4
        assert expired(organization) == [10]


def test_a_refund_takes_its_own_lot_first(organization: Organization, give: Give) -> None:
    first, bought = give(10, priority=0), give(10, kind=Kind.PURCHASE)
    posting.post(organization.pk, kind=Kind.REFUND, amount=Decimal(-10), own_lot=bought, now=timezone.now())
    assert lots(organization) == [(first, 10)]


def test_what_is_spent_of_its_own_lot_a_refund_takes_from_the_others(organization: Organization, give: Give) -> None:
    bought, other = give(10, priority=0, kind=Kind.PURCHASE), give(10)
    use(organization, 4)
    posting.post(organization.pk, kind=Kind.CHARGEBACK, amount=Decimal(-10), own_lot=bought, now=timezone.now())
    assert lots(organization) == [(other, 6)]


def test_held_credits_survive_the_expiry_until_the_hold_is_captured(organization: Organization, give: Give) -> None:
    seq = give(10, hours=1)
    hold = holds.place(organization, amount=Decimal(6), ttl=3 * HOUR, now=timezone.now())
    with later(2):
        assert lots(organization) == [(seq, 6)]
        holds.capture(hold, Decimal(4), now=timezone.now())
        assert (balance(organization), expired(organization)) == (0, [4, 2])


def test_kept_credits_have_the_priority_that_they_had(organization: Organization, give: Give) -> None:
    """So if they expire after all and the expiry is reversed, they come back unchanged."""
    give(10, priority=70, hours=1)
    hold = holds.place(organization, amount=Decimal(6), ttl=3 * HOUR, now=timezone.now())
    with later(2):
        posting.bring_up_to_date(organization.pk, timezone.now())
        kept = Grant.objects.get(account=organization.pk)
        assert (kept.remaining, kept.kept, kept.priority) == (6, True, 70)
        expiry = LedgerEntry.objects.of(organization).get(kind=Kind.EXPIRY)
        back = corrections.reverse(expiry, reason="Sorry", actor="", now=timezone.now())
        assert Grant.objects.get(account=organization.pk, entry_seq=back.seq).priority == 70
        holds.release(hold, now=timezone.now())
        posting.bring_up_to_date(organization.pk, timezone.now())
        kept.refresh_from_db()
        assert (kept.remaining, kept.kept) == (0, False)


@pytest.mark.parametrize("resolve", [holds.release, lambda hold, now: None])
def test_held_credits_expire_when_the_hold_is_released_or_overdue(
    organization: Organization, give: Give, resolve: Callable[..., Any]
) -> None:
    give(10, hours=1)
    hold = holds.place(organization, amount=Decimal(6), ttl=3 * HOUR, now=timezone.now())
    with later(2):
        balance(organization)
        resolve(hold, now=timezone.now())
    with later(3):
        assert (balance(organization), sum(expired(organization))) == (0, 10)


def test_a_hold_that_was_placed_after_the_expiry_keeps_nothing(organization: Organization, give: Give) -> None:
    give(10, hours=1)
    holds.place(organization, amount=Decimal(2), ttl=9 * HOUR, now=timezone.now())
    stays = give(10)
    with later(2):
        holds.place(organization, amount=Decimal(5), ttl=9 * HOUR, now=timezone.now())
        assert lots(organization) == [(1, 2), (stays, 10)]


@pytest.fixture
def two_holds(organization: Organization, give: Give) -> tuple[Any, Any, datetime]:
    """A hold on credits that expire, then one on the others, which burn before in the order of lots; and when."""
    give(30, priority=90, hours=1)
    give(50, priority=10)
    early = holds.place(organization, amount=Decimal(30), ttl=9 * HOUR, now=timezone.now())
    now = timezone.now() + 2 * HOUR
    with time_machine.travel(now, tick=False):
        return early, holds.place(organization, amount=Decimal(50), ttl=9 * HOUR, now=timezone.now()), now


def test_holds_that_are_captured_as_placed_never_lead_into_debt(organization: Organization, two_holds: Any) -> None:
    early, late, now = two_holds
    with time_machine.travel(now, tick=False):
        holds.capture(early, now=timezone.now())
        assert lots(organization) == [(2, 50)]
        holds.capture(late, now=timezone.now())
        assert (balance(organization), expired(organization)) == (0, [])


def test_kept_credits_that_burnt_in_their_old_place_would_lead_into_debt(
    organization: Organization, give: Give, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """The control of the test above: the first capture takes what the second hold has, and the kept lot expires."""
    monkeypatch.setattr(grants, "ALLOT", grants.ALLOT.replace(KEPT_FIRST, "g.priority"))
    early, late, now = request.getfixturevalue("two_holds")
    with time_machine.travel(now, tick=False):
        holds.capture(early, now=timezone.now())
        holds.capture(late, now=timezone.now())
        assert balance(organization) == -30


def test_of_lots_that_are_due_the_first_to_expire_keeps_first(organization: Organization, give: Give) -> None:
    """The hold after its expiry can be served by the later one alone, so that is not spent on the hold before."""
    soon, late = give(30, priority=90, hours=1), give(50, priority=10, hours=4)
    holds.place(organization, amount=Decimal(30), ttl=9 * HOUR, now=timezone.now())
    with later(2):
        holds.place(organization, amount=Decimal(50), ttl=9 * HOUR, now=timezone.now())
    with later(5):
        assert lots(organization) == [(soon, 30), (late, 50)]
        assert posting.available(organization.pk, timezone.now()) == 0
