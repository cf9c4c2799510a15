"""The ledger under many callers at once. Each race has its negative control: without the guard, the bug is seen."""

import time
from collections.abc import Callable
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, transaction
from django.utils import timezone

from accounts.models import Organization
from billing.exceptions import NotEnoughCredits
from billing.ledger import balances, lots, posting
from billing.models import LedgerAccount, LedgerEntry
from tests import factories
from tests.concurrency import dont_lock, race

Kind = LedgerEntry.Kind
THREADS = 20

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def payer(committed: None) -> Organization:
    """Has 100 credits."""
    organization = factories.organization()
    factories.credit(organization, 100)
    return organization


def account(organization: Organization) -> LedgerAccount:
    return LedgerAccount.objects.get(pk=organization.pk)


def seqs(organization: Organization) -> list[int]:
    return list(LedgerEntry.objects.of(organization).order_by("seq").values_list("seq", flat=True))


def spend(payer: Organization, meanwhile: Callable[[], object]) -> bool:
    """Take 10 credits, if under the lock they are there."""
    with transaction.atomic():
        posting.lock([payer.pk], timezone.now())
        if account(payer).balance < 10:
            return False
        meanwhile()
        posting.post(payer.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(-10), now=timezone.now())
    return True


def test_of_twenty_debits_just_those_that_are_covered_succeed(payer: Organization) -> None:
    def debit() -> balances.Posting:
        return posting.debit(payer.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(10), now=timezone.now())

    results = race([debit] * THREADS)
    assert sorted(r.balance_after for r in results if isinstance(r, balances.Posting)) == list(range(0, 100, 10))
    assert sum(isinstance(r, NotEnoughCredits) for r in results) == 10
    assert account(payer).balance == 0


def test_a_balance_compared_in_python_would_be_overdrawn(payer: Organization) -> None:
    """The control of the test above."""
    all_have_read = Barrier(THREADS)

    def debit() -> None:
        if posting.available(payer.pk, timezone.now()) >= 10:
            all_have_read.wait(timeout=30)
            posting.post(payer.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(-10), now=timezone.now())

    race([debit] * THREADS)
    assert account(payer).balance == -100


def test_the_lock_holds_others_off_between_reading_and_posting(payer: Organization) -> None:
    results = race([lambda: spend(payer, lambda: time.sleep(0.005))] * THREADS)
    assert (results.count(True), results.count(False)) == (10, 10)
    assert account(payer).balance == 0


def test_without_the_lock_all_would_post_on_one_reading(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    dont_lock(monkeypatch)
    all_have_read = Barrier(THREADS)
    results = race([lambda: spend(payer, lambda: all_have_read.wait(timeout=30))] * THREADS)
    assert results.count(True) == THREADS
    assert account(payer).balance == -100


def test_entries_posted_at_once_have_no_gap(payer: Organization) -> None:
    results = race([lambda: [factories.credit(payer, 1) for _ in range(5)]] * THREADS)
    assert sorted(p.seq for postings in results for p in postings) == list(range(2, 102))
    assert seqs(payer) == list(range(1, 102))
    assert all(p.balance_after == 99 + p.seq for postings in results for p in postings)


def test_a_number_counted_in_python_would_be_given_twice(payer: Organization) -> None:
    """The control of the test above."""
    both_have_read = Barrier(2)

    def post() -> None:
        seq = account(payer).seq + 1
        both_have_read.wait(timeout=30)
        entry = {"kind": "grant", "amount": 1, "balance_after": 101, "created_at": timezone.now()}
        LedgerEntry.objects.create(account_id=payer.pk, seq=seq, **entry)

    assert sum(isinstance(r, IntegrityError) for r in race([post] * 2)) == 1
    LedgerAccount.objects.of(payer).update(balance=101, seq=2)  # what the thread that got through left out
    with transaction.atomic():
        lots.add(balances.Posting(payer.pk, 2, Decimal(101)), lots.Lot(), amount=Decimal(1), now=timezone.now())


def test_a_key_from_fifty_threads_is_one_entry_and_fifty_equal_answers(payer: Organization) -> None:
    def purchase() -> balances.Posting:
        return posting.post(
            payer.pk, kind=Kind.PURCHASE, amount=Decimal(7), idempotency_key="payment:1", now=timezone.now()
        )

    assert set(race([purchase] * 50)) == {balances.Posting(payer.pk, 2, Decimal(107))}
    assert seqs(payer) == [1, 2]


def test_a_key_looked_up_in_python_would_post_twice(payer: Organization) -> None:
    """The control of the test above."""
    both_have_looked = Barrier(2)

    def purchase() -> None:
        if not LedgerEntry.objects.of(payer).filter(reference="payment:1").exists():
            both_have_looked.wait(timeout=30)
            posting.post(payer.pk, kind=Kind.PURCHASE, amount=Decimal(7), reference="payment:1", now=timezone.now())

    race([purchase] * 2)
    assert account(payer).balance == 114


def test_a_debit_with_one_key_from_many_threads_is_taken_once(payer: Organization) -> None:
    """The balance covers one: the other nine find it gone, and are answered all the same."""

    def debit() -> balances.Posting:
        return posting.debit(
            payer.pk, kind=Kind.SUBSCRIPTION, amount=Decimal(100), idempotency_key="sub:1", now=timezone.now()
        )

    assert set(race([debit] * 10)) == {balances.Posting(payer.pk, 2, Decimal(0))}


@pytest.mark.parametrize("threads", [2, 10])
def test_an_account_is_opened_once_by_all_who_use_it_first(threads: int) -> None:
    organization = factories.organization()
    results = race([lambda: factories.credit(organization, 1)] * threads)
    assert sorted(posted.seq for posted in results) == list(range(1, threads + 1))
    assert account(organization).balance == threads


def test_locks_that_open_accounts_meet_without_deadlock() -> None:
    payers = [factories.organization().pk for _ in range(10)]

    def lock(order: list[Any]) -> int:
        with transaction.atomic():
            return len(posting.lock(order, timezone.now()))

    assert race([lambda: lock(payers), lambda: lock(payers[::-1])] * 4) == [10] * 8


@pytest.fixture
def pair(committed: None) -> list[Organization]:
    pair = [factories.organization(), factories.organization()]
    for organization in pair:
        factories.credit(organization, 1)
    return pair


def test_payers_are_locked_in_one_order_whatever_the_callers(pair: list[Organization]) -> None:
    def lock(order: list[Organization]) -> int:
        with transaction.atomic():
            locked = posting.lock([organization.pk for organization in order], timezone.now())
            time.sleep(0.002)
            return len(locked)

    assert race([lambda: lock(pair), lambda: lock(pair[::-1])] * 5) == [2] * 10


def test_payers_locked_in_the_callers_order_would_deadlock(pair: list[Organization]) -> None:
    """The control of the test above."""
    both_have_one = Barrier(2)

    def lock(order: list[Organization]) -> None:
        with transaction.atomic():
            posting.lock([order[0].pk], timezone.now())
            both_have_one.wait(timeout=30)
            posting.lock([order[1].pk], timezone.now())

    results = race([lambda: lock(pair), lambda: lock(pair[::-1])])
    assert [type(r) for r in results if r] == [OperationalError]
