"""The ledger and the meter against a model of a page: whatever is asked in whatever order, they agree."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from accounts.models import Organization
from billing import ledger
from billing.exceptions import NotEnoughCredits, PostingConflict
from billing.models import LedgerAccount, LedgerEntry
from tests import factories
from tests.properties import search
from tests.usage import batches
from usage import metering, reconciliation

Kind = LedgerEntry.Kind
PRICES = {"requests": Decimal("0.001"), "sms": Decimal("0.01"), "voice": Decimal("0.02")}

amounts = st.decimals(min_value="0.000000001", max_value=100, places=9)
keys = st.sampled_from(["a", "b", "c", None])
events = st.tuples(
    st.integers(0, 2),  # whose: the first payer's, its child's, the second payer's
    st.sampled_from([f"id-{n}" for n in range(12)]),
    st.sampled_from(sorted(PRICES)),
    st.integers(0, 5000),
)


class Payer:
    """What an account ought to be: the amounts of its entries, and what each idempotency key answered."""

    def __init__(self, organization: Organization) -> None:
        self.organization = organization
        self.amounts: list[Decimal] = []
        self.answers: dict[str, tuple[LedgerEntry.Kind, Decimal, ledger.Posting]] = {}

    @property
    def balance(self) -> Decimal:
        return sum(self.amounts, Decimal(0))

    def post(self, amount: Decimal) -> ledger.Posting:
        self.amounts.append(amount)
        return ledger.Posting(self.organization.pk, len(self.amounts), self.balance)


class Books(RuleBasedStateMachine):
    @initialize()
    def open(self) -> None:
        first, second = factories.organization(), factories.organization()
        self.payers = [Payer(first), Payer(second)]
        child = Organization.objects.create_child(first, name="Child")
        self.owners = [(first, self.payers[0]), (child, self.payers[0]), (second, self.payers[1])]
        self.counted: set[tuple[int, str]] = set()
        self.last_batch: list[Any] = []

    @rule(payer=st.integers(0, 1), amount=amounts)
    def grant(self, payer: int, amount: Decimal) -> None:
        model = self.payers[payer]
        assert factories.credit(model.organization, amount) == model.post(amount)

    @rule(payer=st.integers(0, 1), amount=st.integers(1, 3).map(Decimal), key=keys)
    def purchase(self, payer: int, amount: Decimal, key: str | None) -> None:
        self._post(self.payers[payer], Kind.PURCHASE, amount, key)

    @rule(payer=st.integers(0, 1), amount=st.integers(1, 3).map(Decimal), key=keys)
    def debit(self, payer: int, amount: Decimal, key: str | None) -> None:
        self._post(self.payers[payer], Kind.SUBSCRIPTION, -amount, key)

    @rule(payer=st.integers(0, 1), amount=amounts)
    def settle(self, payer: int, amount: Decimal) -> None:
        self._post(self.payers[payer], Kind.CAPTURE, -amount, None)

    def _post(self, model: Payer, kind: LedgerEntry.Kind, amount: Decimal, key: str | None) -> None:
        admitted = kind is Kind.SUBSCRIPTION
        verb, signed = (ledger.debit, -amount) if admitted else (ledger.post, amount)
        about: dict[str, Any] = {"kind": kind, "amount": signed, "idempotency_key": key}
        if key in model.answers:
            *movement, answer = model.answers[key]
            if movement == [kind, amount]:
                assert verb(model.organization.pk, **about) == answer
            else:
                with pytest.raises(PostingConflict):
                    verb(model.organization.pk, **about)
        elif admitted and model.balance + amount < 0:
            with pytest.raises(NotEnoughCredits):
                verb(model.organization.pk, **about)
        else:
            answer = model.post(amount)
            assert verb(model.organization.pk, **about) == answer
            model.answers |= {key: (kind, amount, answer)} if key else {}

    @rule(batch=st.lists(events, min_size=1, max_size=8))
    def use(self, batch: list[Any]) -> None:
        expected, charges = [], {id(payer): Decimal(0) for payer in self.payers}
        for whose, id_, meter, quantity in batch:
            is_fresh = (whose, id_) not in self.counted
            self.counted.add((whose, id_))
            expected.append("accepted" if is_fresh else "duplicate")
            charges[id(self.owners[whose][1])] += PRICES[meter] * quantity * is_fresh
        assert self._record(batch) == expected
        for payer in self.payers:
            if charges[id(payer)]:
                payer.post(-charges[id(payer)])
        self.last_batch = batch

    @rule()
    def retry(self) -> None:
        assert self._record(self.last_batch) == ["duplicate"] * len(self.last_batch)

    def _record(self, batch: list[Any]) -> list[str]:
        sent = [
            batches.event(self.owners[whose][0], id=id_, meter=meter, quantity=quantity)
            for whose, id_, meter, quantity in batch
        ]
        return [result.result for result in metering.record(sent).results]

    @invariant()
    def balances_are_the_models(self) -> None:
        for model in self.payers:
            account = LedgerAccount.objects.of(model.organization).first()
            found = (account.balance, account.seq) if account else (Decimal(0), 0)
            assert found == (model.balance, len(model.amounts))

    def teardown(self) -> None:
        for model in self.payers:
            entries = LedgerEntry.objects.of(model.organization).order_by("seq")
            assert list(entries.values_list("amount", flat=True)) == model.amounts
        assert reconciliation.run() == []


def test_the_books_are_the_models_after_any_sequence_of_movements(db: None) -> None:
    run_state_machine_as_test(Books, settings=search(25, stateful_step_count=30))
