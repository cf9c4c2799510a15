"""All that moves money at once, by many threads, on one account, on three and on a thousand: no deadlock, and the books
hold. Without the lock, they do not."""

import time
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from random import Random
from threading import Barrier, Event
from typing import Any
from uuid import UUID

import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from accounts.lib.identifiers import auth_id
from accounts.lib.problems import Problem
from accounts.models import Organization
from billing.exceptions import NotEnoughCredits
from billing.ledger import balances, expiry_sweep, holds, leases, lots, posting
from billing.models import Grant, Hold, LedgerAccount, LedgerEntry
from tests import factories
from tests.billing.ledger import books
from tests.concurrency import dont_lock, race, replace, wait_until_blocking
from tests.usage.metering import batches
from usage import metering

Kind = LedgerEntry.Kind
SECOND = timedelta(seconds=1)
THREADS = 8

pytestmark = pytest.mark.usefixtures("committed")


def make_payers(count: int) -> list[Organization]:
    made = [Organization(name=factories.unique("hammer"), auth_id=auth_id(root=True)) for _ in range(count)]
    for organization in made:
        organization.root_id, organization.path = organization.pk, [organization.pk]
    return Organization.objects.bulk_create(made)


class Hand:
    """One thread's: does things at random to some of the payers, together or one by one."""

    def __init__(self, seed: int, payers: list[Organization]) -> None:
        self.chance, self.payers, self.holds = Random(seed), payers, list[Hold]()

    def strike(self, times: int) -> None:
        verbs = [self.credit, self.debit, self.adjust, self.place, self.resolve, self.use, self.use, self.tidy]
        for _ in range(times):
            with suppress(Problem):  # refused, for want of credits: that is an answer
                self.chance.choice(verbs)(self.chance.choice(self.payers))

    def amount(self) -> Decimal:
        return Decimal(self.chance.randint(1, 9))

    def credit(self, payer: Organization) -> None:
        expires_at = self.chance.choice([None, timezone.now() + SECOND / 20])
        lot = lots.Lot(Grant.Category.PROMOTIONAL, self.chance.choice([10, 50]), expires_at)
        posting.post(payer.pk, kind=Kind.GRANT, amount=2 * self.amount(), lot=lot, now=timezone.now())

    def debit(self, payer: Organization) -> None:
        posting.debit(payer.pk, kind=Kind.SUBSCRIPTION, amount=self.amount(), now=timezone.now())

    def adjust(self, payer: Organization) -> None:
        posting.post(payer.pk, kind=Kind.ADJUSTMENT, amount=-self.amount(), now=timezone.now())

    def place(self, payer: Organization) -> None:
        ttl = self.chance.choice([SECOND / 20, 60 * SECOND])
        reserve = self.chance.choice([holds.place, leases.take])
        self.holds.append(reserve(payer, amount=self.amount(), ttl=ttl, now=timezone.now()))

    def resolve(self, payer: Organization) -> None:
        if self.holds:
            hold = self.holds.pop(self.chance.randrange(len(self.holds)))
            self.chance.choice([holds.capture, holds.release])(hold, now=timezone.now())

    def use(self, payer: Organization) -> None:
        """A batch for several payers, some of it out of a hold."""
        several = self.chance.sample(self.payers, min(len(self.payers), 5))
        sent = [batches.event(each, id=factories.unique("e"), meter="sms", quantity=50) for each in several]
        for hold in self.holds[:1]:
            fields = {"id": factories.unique("e"), "meter": "sms", "quantity": 90, "hold": hold.public_id}
            sent.append(batches.event(hold.organization, **fields))
        assert metering.record(sent).count("accepted") == len(sent)

    def tidy(self, payer: Organization) -> None:
        posting.current(payer.pk, timezone.now())


def _usage(payer: Organization, credits: int) -> None:
    metering.record([batches.event(payer, id=factories.unique("e"), meter="sms", quantity=100 * credits)])


def broken(payers: list[Organization]) -> list[Any]:
    """The accounts whose books don't agree, before or after due holds and lots have expired."""
    accounts = [payer.pk for payer in payers]
    before = books.broken(accounts)
    expiry_sweep.expire_due(timezone.now())
    for account in accounts[:20]:
        posting.bring_up_to_date(account, timezone.now())
    return before + books.broken(accounts)


def hammer(payers: list[Organization], times: int) -> list[Any]:
    """Returns everything that went wrong, which must be nothing."""
    return [error for error in race([partial(Hand(n, payers).strike, times) for n in range(THREADS)]) if error]


@pytest.mark.parametrize(("count", "times"), [(1, 50), (3, 50), (1000, 75)])
def test_whatever_happens_at_once_the_books_hold(count: int, times: int) -> None:
    """Accounts are opened on the way as well: none of the payers has one."""
    payers = make_payers(count)
    assert hammer(payers, times) == []
    assert broken(payers) == []


def test_without_the_lock_they_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: what two allot at once burns twice."""
    [payer] = payers = make_payers(1)
    factories.credit(payer, 1000)
    _usage(payer, 100)
    allot = lots.allot

    def slowly(account: UUID) -> None:
        allot(account)
        time.sleep(0.1)

    monkeypatch.setattr(lots, "allot", slowly)
    dont_lock(monkeypatch)
    race([lambda: Hand(0, payers).adjust(payer)] * 4)
    monkeypatch.undo()
    assert broken(payers)
    Grant.objects.of(payer).update(remaining=1000)  # what other tests find here has to hold


def one_opens_while_another_locks_both() -> list[Any]:
    """The first opens the second account of a pair, and locks both when the other waits for it."""
    pair = [payer.pk for payer in make_payers(2)]
    balances.open_accounts(pair[:1], timezone.now())
    opened = Event()

    def open_and_lock() -> None:
        with transaction.atomic():
            balances.open_accounts(pair[1:], timezone.now())
            opened.set()
            wait_until_blocking()
            posting.lock(pair, timezone.now())

    def lock() -> None:
        opened.wait(30)
        with transaction.atomic():
            posting.lock(pair, timezone.now())

    return [type(error) for error in race([open_and_lock, lock]) if error]


def test_whoever_opens_an_account_holds_no_other() -> None:
    assert one_opens_while_another_locks_both() == []


def test_if_the_accounts_that_there_are_were_locked_first_they_would_deadlock(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    monkeypatch.setattr(posting, "LOCK", posting.LOCK.replace("= %(count)s", ">= 0"))
    monkeypatch.setattr(posting, "IS_OPEN", "SELECT")
    assert one_opens_while_another_locks_both() == [OperationalError]


def test_of_fifty_holds_at_once_just_those_that_are_covered_are_placed() -> None:
    [payer] = make_payers(1)
    factories.credit(payer, 100)
    results = race([lambda: holds.place(payer, amount=Decimal(10), ttl=60 * SECOND, now=timezone.now())] * 50)
    assert sum(isinstance(result, Hold) for result in results) == 10
    assert sum(isinstance(result, NotEnoughCredits) for result in results) == 40
    assert LedgerAccount.objects.of(payer).get().available == 0


def test_holds_judged_by_a_balance_that_was_read_would_be_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: who is judged before the lock is placed on what others have taken meanwhile."""
    [payer] = make_payers(1)
    factories.credit(payer, 100)
    statements = ("PLACE", "RESERVED")
    replace(monkeypatch, holds, statements, f"{balances.AVAILABLE} >= room.granted", "true")
    replace(monkeypatch, holds, statements, balances.AVAILABLE, "1000000")
    all_have_read = Barrier(20)

    def place() -> None:
        assert posting.available(payer.pk, timezone.now()) >= 10
        all_have_read.wait(timeout=30)
        holds.place(payer, amount=Decimal(10), ttl=60 * SECOND, now=timezone.now())

    assert race([place] * 20) == [None] * 20
    assert LedgerAccount.objects.of(payer).get().available == -100


@pytest.mark.parametrize("reserve", [holds.place, leases.take])
def test_of_twenty_that_resolve_a_hold_at_once_one_does(reserve: Callable[..., Hold]) -> None:
    [payer] = make_payers(1)
    factories.credit(payer, 100)
    hold = reserve(payer, amount=Decimal(10), ttl=60 * SECOND, now=timezone.now())
    results = race(
        [lambda: holds.capture(hold, now=timezone.now()), lambda: holds.release(hold, now=timezone.now())] * 10
    )
    [done] = [result for result in results if isinstance(result, Hold)]
    assert sum(isinstance(result, holds.HoldResolved) for result in results) == 19
    account = LedgerAccount.objects.of(payer).get()
    assert (account.balance, account.reserved) == (100 - done.captured, 0)


def test_without_the_lock_a_hold_would_be_resolved_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: the process that waits for the row has already seen it as open."""
    [payer] = make_payers(1)
    factories.credit(payer, 100)
    hold, other = (
        holds.place(payer, amount=Decimal(amount), ttl=60 * SECOND, now=timezone.now()) for amount in (10, 90)
    )
    load = holds.load

    def slowly(account: UUID, pk: UUID) -> Hold:
        time.sleep(0.1)
        return load(account, pk)

    monkeypatch.setattr(holds, "load", slowly)
    dont_lock(monkeypatch)
    results = race([lambda: holds.release(hold, now=timezone.now())] * 5)
    assert sum(isinstance(result, Hold) for result in results) > 1
    assert broken([payer])
    LedgerAccount.objects.of(payer).update(reserved=other.amount)  # what other tests find here has to hold
