"""Reversals and adjustments: nothing is edited, an entry is taken back once, its own lot first."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone
from time_machine import travel

from accounts.lib.problems import InvalidField
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.exceptions import AlreadyReversed, CorrectedByVoid, NotReversible
from billing.ledger import budgets, corrections, holds, posting
from billing.ledger import lots as grants
from billing.ledger.corrections import VOIDED_EVENT
from billing.ledger.lots import Lot
from billing.models import Grant, LedgerAccount, LedgerEntry, Spending
from tests import announcements, factories
from tests.concurrency import race
from tests.usage.metering import batches
from usage.storage import reconciliation

Kind = LedgerEntry.Kind
Category = Grant.Category


def reverse(entry: LedgerEntry, *, reason: str = "A mistake", **options: Any) -> LedgerEntry:
    return corrections.reverse(entry, reason=reason, actor="key_0", now=timezone.now(), **options)


def post(organization: Organization, kind: str, amount: int | str, **options: Any) -> LedgerEntry:
    posted = posting.post(organization.pk, kind=Kind(kind), amount=Decimal(amount), **options, now=timezone.now())
    return LedgerEntry.objects.get(account=organization.pk, seq=posted.seq)


def balance(organization: Organization) -> Decimal:
    return LedgerAccount.objects.get(pk=organization.pk).balance  # type: ignore[no-any-return]


def lots(organization: Organization) -> dict[int, Decimal]:
    """What remains, by the entry that brought it."""
    posting.bring_up_to_date(organization.pk, timezone.now())
    return dict(Grant.objects.of(organization).values_list("entry_seq", "remaining"))


@pytest.mark.parametrize(
    ("kind", "amount"),
    [
        *(("purchase", 5), ("grant", 5), ("subscription", -5), ("capture", -5), ("refund", -5), ("chargeback", -5)),
        *(("expiry", -5), ("adjustment", 5), ("adjustment", -5), ("import", 5), ("import", -5)),
    ],
)
def test_any_entry_but_usage_is_taken_back_by_its_opposite(funded: Organization, kind: str, amount: int) -> None:
    entry = post(funded, kind, amount, reference="" if kind == "expiry" else "ref-1")
    reversal = reverse(entry)
    assert balance(funded) == 100
    shown = (reversal.kind, reversal.amount, reversal.reverses_seq, reversal.description, reversal.actor)
    assert shown == ("reversal", -entry.amount, entry.seq, "A mistake", "key_0")
    assert reversal.reference == entry.reference
    assert LedgerEntry.objects.get(pk=entry.pk).amount == entry.amount


def test_an_entry_is_reversed_once(funded: Organization) -> None:
    entry = post(funded, "purchase", 5)
    first = reverse(entry)
    with pytest.raises(AlreadyReversed) as refused:
        reverse(entry)
    assert refused.value.members == {"reversal": first.seq}
    assert balance(funded) == 100


def test_usage_is_not_reversed(funded: Organization) -> None:
    with pytest.raises(CorrectedByVoid):
        reverse(post(funded, "usage", -5))
    assert balance(funded) == 95


def test_neither_is_a_reversal_nor_the_adjustment_of_a_void(funded: Organization) -> None:
    void = post(funded, "adjustment", 5, metadata={VOIDED_EVENT: "e1"})
    for entry in (reverse(post(funded, "purchase", 5)), void):
        with pytest.raises(NotReversible):
            reverse(entry)


def test_a_reversal_of_credits_burns_their_own_lot_first(organization: Organization) -> None:
    soonest = post(organization, "grant", 10, lot=Lot(priority=0))
    bought = post(organization, "purchase", 10)
    reverse(bought)
    assert lots(organization) == {soonest.seq: 10, bought.seq: 0}


def test_what_is_spent_of_it_already_comes_from_the_others(organization: Organization) -> None:
    bought = post(organization, "purchase", 10, lot=Lot(priority=0))
    other = post(organization, "grant", 10)
    post(organization, "usage", -4)
    reverse(bought)
    assert lots(organization) == {bought.seq: 0, other.seq: 6}


def test_a_reversal_may_lead_into_debt(organization: Organization) -> None:
    bought = post(organization, "purchase", 10)
    post(organization, "usage", -8)
    reverse(bought)
    assert balance(organization) == -8
    assert lots(organization) == {bought.seq: 0}


def test_a_reversal_of_a_debit_is_a_lot_with_the_stated_expiry(funded: Organization) -> None:
    soon = timezone.now() + timedelta(days=3)
    reversal = reverse(post(funded, "subscription", -5), expires_at=soon)
    lot = Grant.objects.get(account=funded.pk, entry_seq=reversal.seq)
    assert (lot.amount, lot.remaining, lot.expires_at, lot.category) == (5, 5, soon, Category.PAID)
    assert sum(lots(funded).values()) == 100


def test_what_expired_comes_back_as_what_it_was(organization: Organization) -> None:
    passed = timezone.now() - timedelta(seconds=1)
    post(organization, "grant", 5, lot=Lot(Category.PROMOTIONAL, 7, passed))
    assert posting.available(organization.pk, timezone.now()) == 0
    expiry = LedgerEntry.objects.get(account=organization.pk, kind=Kind.EXPIRY)
    reversal = reverse(expiry)
    lot = Grant.objects.get(account=organization.pk, entry_seq=reversal.seq)
    assert (lot.category, lot.priority, lot.remaining, lot.expires_at) == (Category.PROMOTIONAL, 7, 5, None)


def test_credits_that_are_taken_have_no_expiry(funded: Organization) -> None:
    later = timezone.now() + timedelta(days=1)
    bought = post(funded, "purchase", 5)
    for call in (
        partial(reverse, bought, expires_at=later),
        partial(adjust, funded, -5, expires_at=later),
    ):
        with pytest.raises(InvalidField):
            call()
    assert balance(funded) == 105


def test_a_captured_hold_that_is_reversed_stays_captured(funded: Organization) -> None:
    hold = holds.capture(
        holds.place(funded, amount=Decimal(5), ttl=timedelta(minutes=1), now=timezone.now()), now=timezone.now()
    )
    entry = LedgerEntry.objects.get(account=funded.pk, kind=Kind.CAPTURE)
    reverse(entry)
    account = LedgerAccount.objects.get(pk=funded.pk)
    assert (account.balance, account.reserved) == (100, 0)
    with pytest.raises(holds.HoldResolved):
        holds.capture(hold, now=timezone.now())


NOON = datetime(2036, 5, 31, 12, tzinfo=UTC)


def capture_in_may(owner: Organization, key: ApiKey) -> LedgerEntry:
    with travel(NOON, tick=False):
        holds.capture(
            holds.place(owner, amount=Decimal(5), ttl=timedelta(minutes=1), key=key, now=timezone.now()),
            Decimal(4),
            now=timezone.now(),
        )
    return LedgerEntry.objects.get(account=owner.root_id, kind=Kind.CAPTURE)


def spent(payer: Organization) -> dict[Any, Decimal]:
    rows = Spending.objects.filter(account_id=payer.pk, month=date(2036, 5, 1))
    assert Spending.objects.filter(account_id=payer.pk).count() == rows.count()
    return dict(rows.values_list("subject", "spent"))


def test_a_reversed_capture_is_spent_no_more_in_its_own_month(funded: Organization) -> None:
    child = Organization.objects.create_child(funded, name="Child")
    key, _ = factories.key(child)
    capture = capture_in_may(child, key)
    assert spent(funded) == {funded.pk: 4, child.pk: 4, key.pk: 4}
    reverse(capture)
    assert spent(funded) == {funded.pk: 0, child.pk: 0, key.pk: 0}
    assert reconciliation.run() == []


def test_a_reversal_after_a_move_gives_back_to_those_who_counted_the_capture(funded: Organization) -> None:
    before, after = (Organization.objects.create_child(funded, name=name) for name in ("Before", "After"))
    child = Organization.objects.create_child(before, name="Child")
    key, _ = factories.key(child)
    capture = capture_in_may(child, key)
    factories.move(child, after)
    reverse(capture)
    assert spent(funded) == {funded.pk: 0, before.pk: 0, child.pk: 0, key.pk: 0}


def test_a_budget_recovers_with_the_reversal_of_a_capture(funded: Organization) -> None:
    budgets.limit(funded, Decimal(5), now=timezone.now())
    holds.capture(
        holds.place(funded, amount=Decimal(3), ttl=timedelta(minutes=1), now=timezone.now()), now=timezone.now()
    )
    reverse(LedgerEntry.objects.get(account=funded.pk, kind=Kind.CAPTURE))
    types = [event.type for event in announcements.of(funded, "ledger.reversed")]
    assert types == ["budget.crossed", "budget.recovered", "ledger.reversed"]
    assert budgets.of(funded, timezone.now()).left == 5


def adjust(organization: Organization, amount: int, **options: Any) -> LedgerEntry:
    options = {"reason": "Sorry", "actor": "key_0", **options}
    return corrections.adjust(organization.pk, amount=Decimal(amount), **options, now=timezone.now())


def test_an_adjustment_gives_a_lot(organization: Organization) -> None:
    soon = timezone.now() + timedelta(days=3)
    entry = adjust(organization, 5, expires_at=soon)
    assert (entry.kind, entry.amount, entry.description, entry.actor) == ("adjustment", 5, "Sorry", "key_0")
    lot = Grant.objects.get(account=organization.pk)
    assert (lot.entry_seq, lot.remaining, lot.expires_at) == (entry.seq, 5, soon)


def test_an_adjustment_takes_from_the_lots_and_may_lead_into_debt(organization: Organization) -> None:
    given = adjust(organization, 5)
    adjust(organization, -7)
    assert balance(organization) == -2
    assert lots(organization) == {given.seq: 0}


def test_an_adjustment_with_a_key_is_posted_once(organization: Organization) -> None:
    first, again = (adjust(organization, 5, idempotency_key="page-1") for _ in range(2))
    assert first == again
    assert balance(organization) == 5


@pytest.fixture
def bought(committed: None) -> LedgerEntry:
    return post(factories.organization(), "purchase", 10)


def outcomes(calls: list[Callable[[], Any]]) -> list[str]:
    return sorted(type(outcome).__name__ for outcome in race(calls))


def test_of_many_reversals_at_once_one_is_posted(bought: LedgerEntry) -> None:
    assert outcomes([partial(reverse, bought)] * 8) == ["AlreadyReversed"] * 7 + ["LedgerEntry"]
    assert LedgerAccount.objects.get(pk=bought.account_id).balance == 0


def test_without_the_look_under_the_lock_only_the_database_keeps_a_second_one_out(
    bought: LedgerEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unique key refuses seven, as faults rather than as answers."""
    monkeypatch.setattr(corrections, "_check", lambda entry: None)
    results = race([partial(reverse, bought)] * 8)
    assert sum(isinstance(result, IntegrityError) for result in results) == 7
    assert LedgerAccount.objects.get(pk=bought.account_id).balance == 0


def test_corrections_among_spending_keep_the_lots_and_the_balance_together(committed: None) -> None:
    organization = factories.organization()
    entries = [post(organization, "purchase", 10, lot=Lot(priority=n)) for n in range(6)]
    use = partial(batches.record, batches.event(organization, meter="sms", quantity=100))
    reversals = [partial(reverse, entry) for entry in entries[:3]]
    race([*reversals, partial(adjust, organization, 4), partial(adjust, organization, -4), use])
    assert balance(organization) == 29
    assert sum(lots(organization).values()) == 29
    with transaction.atomic():
        assert not grants.expire(organization.pk, timezone.now())
