"""The ledger, holds, lots, budgets and the meter against a model: whatever is done in whatever order, they agree.

After every step the books hold as they are stored, and what is answered, admitted and read is the model's. A payer from
whom no more was taken than had been admitted is never in debt.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.utils import timezone
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run

from accounts.models import Organization
from billing.exceptions import BudgetExceeded, NotEnoughCredits, PostingConflict
from billing.ledger import budgets, corrections, holds, leases, posting
from billing.ledger import lots as grants
from billing.models import Grant, Hold, LedgerEntry
from tests import factories
from tests.billing.ledger import books, eager_book
from tests.billing.ledger.eager_payers import Owner, Payer
from tests.properties import search
from tests.usage.metering import batches
from usage import metering
from usage.storage import reconciliation

Kind = LedgerEntry.Kind
PRICES = {"requests": Decimal("0.001"), "sms": Decimal("0.01"), "voice": Decimal("0.02")}
MINUTE = timedelta(minutes=1)
ZERO = Decimal(0)

amounts = st.decimals(min_value="0.000000001", max_value=100, places=9)
whole = st.integers(1, 30).map(Decimal)
payers = st.integers(0, 1)
owners = st.integers(0, 2)  # the first payer, its child, the second payer
keys = st.sampled_from(["a", "b", "c", None])
expiries = st.one_of(st.none(), st.integers(1, 120))
events = st.tuples(
    owners,
    st.sampled_from([f"id-{n}" for n in range(12)]),
    st.sampled_from(sorted(PRICES)),
    st.integers(0, 500),
    st.one_of(st.none(), st.integers(0, 5)),  # which hold it names
)


class Books(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        self.now: datetime = batches.this_month(10)
        self.clock = time_machine.travel(self.now, tick=False)
        self.traveller = self.clock.start()
        self.payers = [Payer(factories.organization()), Payer(factories.organization())]
        first, second = (Owner(payer.organization, payer) for payer in self.payers)
        child = Organization.objects.create_child(first.organization, name="Child")
        self.owners = [first, Owner(child, self.payers[0], above=first), second]
        self.holds: list[tuple[Hold, eager_book.Hold, Owner]] = []
        self.counted: set[tuple[int, str]] = set()
        self.last_batch: list[Any] = []
        for payer in self.payers:
            self._pass()
            self._post(payer, Kind.PURCHASE, Decimal(60), None, *self._lot(50, None))
            self._post(payer, Kind.GRANT, Decimal(40), None, *self._lot(90, 50))

    def _pass(self, minutes: int = 7) -> None:
        """Time goes by with every step, so that things fall due."""
        self.now += minutes * MINUTE
        self.traveller.move_to(self.now)
        for payer in self.payers:
            payer.book.advance(self.now)

    def _lot(self, priority: int, minutes: int | None) -> tuple[grants.Lot, eager_book.Lot]:
        expires_at = None if minutes is None else self.now + minutes * MINUTE
        return grants.Lot(Grant.Category.PAID, priority, expires_at), eager_book.Lot(priority, expires_at)

    @rule(minutes=st.integers(1, 100))
    def wait(self, minutes: int) -> None:
        self._pass(minutes)

    @rule(payer=payers, amount=amounts, priority=st.sampled_from([10, 50, 90]), minutes=expiries)
    def grant(self, payer: int, amount: Decimal, priority: int, minutes: int | None) -> None:
        self._pass()
        lot, theirs = self._lot(priority, minutes)
        self._post(self.payers[payer], Kind.GRANT, amount, None, lot, theirs)

    @rule(payer=payers, amount=st.integers(20, 22).map(Decimal), key=keys)
    def purchase(self, payer: int, amount: Decimal, key: str | None) -> None:
        self._pass()
        self._post(self.payers[payer], Kind.PURCHASE, amount, key, *self._lot(50, None))

    @rule(payer=payers, amount=st.integers(1, 3).map(Decimal), key=keys)
    def debit(self, payer: int, amount: Decimal, key: str | None) -> None:
        self._pass()
        self._post(self.payers[payer], Kind.SUBSCRIPTION, -amount, key)

    def _post(self, payer: Payer, kind: LedgerEntry.Kind, amount: Decimal, key: str | None, *lots: Any) -> None:
        admitted = kind is Kind.SUBSCRIPTION
        verb, signed = (posting.debit, -amount) if admitted else (posting.post, amount)
        options: dict[str, Any] = {"kind": kind, "amount": signed, "idempotency_key": key}
        lot, theirs = lots or (None, None)
        options |= {"lot": lot} if lot else {}
        if key in payer.answers:
            *movement, answer = payer.answers[key]
            if movement == [kind, amount]:
                assert verb(payer.organization.pk, now=self.now, **options) == answer
            else:
                with pytest.raises(PostingConflict):
                    verb(payer.organization.pk, now=self.now, **options)
        elif admitted and payer.book.available + amount < 0:
            with pytest.raises(NotEnoughCredits) as refusal:
                verb(payer.organization.pk, now=self.now, **options)
            assert refusal.value.members == {"available": payer.book.available}
        else:
            payer.book.post(amount, theirs)
            posted = verb(payer.organization.pk, now=self.now, **options)
            assert posted.balance_after == payer.book.balance
            payer.entries.append((posted, amount, theirs))
            payer.answers |= {key: (kind, amount, posted)} if key else {}

    @rule(number=payers, amount=st.one_of(amounts, amounts.map(lambda amount: -amount)), minutes=expiries)
    def adjust(self, number: int, amount: Decimal, minutes: int | None) -> None:
        self._pass()
        payer = self.payers[number]
        lot, theirs = self._lot(50, minutes if amount > 0 else None)
        payer.beyond |= amount < 0
        payer.book.post(amount, theirs)
        options: dict[str, Any] = {"reason": "Sorry", "actor": "eve", "expires_at": lot.expires_at}
        entry = corrections.adjust(payer.organization.pk, amount=amount, **options, now=timezone.now())
        assert entry.balance_after == payer.book.balance

    @rule(number=payers, which=st.integers(0, 30), minutes=expiries)
    def reverse(self, number: int, which: int, minutes: int | None) -> None:
        self._pass()
        payer = self.payers[number]
        if which < len(payer.entries):
            posted, amount, own_lot = payer.entries.pop(which)
            lot, theirs = self._lot(50, minutes if amount < 0 else None)
            payer.beyond |= amount > 0
            payer.book.post(-amount, theirs, own_lot=own_lot)
            entry = LedgerEntry.objects.get(account=posted.account_id, seq=posted.seq)
            reversal = corrections.reverse(
                entry, reason="Wrong", actor="eve", expires_at=lot.expires_at, now=timezone.now()
            )
            assert reversal.balance_after == payer.book.balance

    @rule(number=owners, budget=st.one_of(st.none(), st.integers(0, 90).map(Decimal)))
    def limit(self, number: int, budget: Decimal | None) -> None:
        self._pass()
        owner = self.owners[number]
        owner.budget = budget
        budgets.limit(owner.organization, budget, now=timezone.now())

    @rule(terms=st.lists(st.tuples(owners, whole, st.integers(1, 60), st.booleans()), min_size=1))
    def hold(self, terms: list[tuple[int, Decimal, int, bool]]) -> None:
        for number, amount, minutes, is_lease in terms:
            self._pass(1)
            self._hold(self.owners[number], amount, minutes * MINUTE, is_lease=is_lease)

    def _hold(self, owner: Owner, amount: Decimal, ttl: timedelta, *, is_lease: bool) -> None:
        organization = Organization.objects.get(pk=owner.organization.pk)
        reserve = partial(
            leases.take if is_lease else holds.place, organization, amount=amount, ttl=ttl, now=timezone.now()
        )
        if owner.exceeds(amount):
            with pytest.raises(BudgetExceeded):
                reserve()
        elif amount > owner.payer.book.available:
            with pytest.raises(NotEnoughCredits):
                reserve()
        else:
            theirs = eager_book.Hold(amount, self.now, self.now + ttl, is_lease=is_lease)
            owner.payer.book.holds.append(theirs)
            for node in owner.nodes:
                node.holds.append(theirs)
            self.holds.append((reserve(), theirs, owner))

    @precondition(lambda self: self.holds)
    @rule(ways=st.lists(st.tuples(st.integers(0, 9), st.booleans(), st.one_of(st.none(), whole)), min_size=1))
    def resolve(self, ways: list[tuple[int, bool, Decimal | None]]) -> None:
        for which, is_captured, amount in ways:
            self._pass(1)
            hold, theirs, owner = self.holds[which % len(self.holds)]
            if is_captured:
                self._capture(hold, theirs, owner, amount)
            elif owner.payer.book.release(theirs):
                assert holds.release(hold, now=timezone.now()).status == "released"
            else:
                with pytest.raises(holds.HoldResolved):
                    holds.release(hold, now=timezone.now())

    def _capture(self, hold: Hold, theirs: eager_book.Hold, owner: Owner, amount: Decimal | None) -> None:
        taken = max(theirs.amount - theirs.captured, ZERO) if amount is None else amount
        owner.payer.beyond |= taken > theirs.unspent and theirs.status in ("open", "expired")
        if owner.payer.book.capture(theirs, taken):
            owner.spend(taken)
            assert holds.capture(hold, amount, now=timezone.now()).captured == theirs.captured
        else:
            with pytest.raises(holds.HoldResolved):
                holds.capture(hold, amount, now=timezone.now())

    @rule(batch=st.lists(events, min_size=1, max_size=6))
    def use(self, batch: list[Any]) -> None:
        self._pass()
        expected, charged, drawn = [], {id(payer): ZERO for payer in self.payers}, []
        for number, id_, meter, quantity, named in batch:
            is_fresh, owner = (number, id_) not in self.counted, self.owners[number]
            self.counted.add((number, id_))
            expected.append("accepted" if is_fresh else "duplicate")
            if is_fresh:
                credits = PRICES[meter] * quantity
                charged[id(owner.payer)] += credits
                owner.spend(credits)
                hold = self._named(number, named)
                drawn += [(owner.payer, hold[1], credits)] if hold else []
        assert self._record(batch) == expected
        for payer in self.payers:
            payer.use(charged[id(payer)], [(hold, taken) for drawer, hold, taken in drawn if drawer is payer])
        self.last_batch = batch

    @rule()
    def retry(self) -> None:
        self._pass()
        assert self._record(self.last_batch) == ["duplicate"] * len(self.last_batch)

    def _named(self, number: int, which: int | None) -> tuple[Hold, eager_book.Hold, Owner] | None:
        """The hold that an event names; those of another organization are no holds of its own."""
        if which is None or which >= len(self.holds) or self.holds[which][2] is not self.owners[number]:
            return None
        return self.holds[which]

    def _record(self, batch: list[Any]) -> list[str]:
        sent = []
        for number, id_, meter, quantity, named in batch:
            hold, owner = self._named(number, named), self.owners[number].organization
            fields = {"hold": hold[0].public_id} if hold else {}
            sent.append(batches.event(owner, id=id_, meter=meter, quantity=quantity, **fields))
        return [result.result for result in metering.record(sent).results]

    @rule(number=payers)
    def read(self, number: int) -> None:
        self._pass()
        payer = self.payers[number]
        state = posting.current(payer.organization.pk, timezone.now())
        if state:
            assert (state.balance, state.reserved) == (payer.book.balance, payer.book.reserved)
            posting.bring_up_to_date(payer.organization.pk, timezone.now())
            left = Grant.objects.of(payer.organization).filter(remaining__gt=0).order_by("entry_seq")
            assert [lot.remaining for lot in left] == [lot.remaining for lot in payer.book.lots if lot.remaining]
        for owner in self.owners:
            organization = Organization.objects.get(pk=owner.organization.pk)
            assert budgets.of(organization, timezone.now()).spent == owner.spent

    @invariant()
    def the_books_hold(self) -> None:
        assert books.broken(payer.organization.pk for payer in self.payers) == []

    @invariant()
    def nobody_is_in_debt_by_what_was_admitted(self) -> None:
        for payer in self.payers:
            assert payer.beyond or payer.book.available >= 0

    def teardown(self) -> None:
        self.read(0)
        self.read(1)
        self.clock.stop()
        assert reconciliation.run() == []


def test_the_books_are_the_models_after_any_sequence_of_steps(db: None) -> None:
    run(Books, settings=search(25, stateful_step_count=40))
