"""Random scripts of what happens to an account, played to the ledger and to an eager book at the same set times."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import time_machine
from django.db import transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.models import Organization
from billing.exceptions import NotEnoughCredits
from billing.ledger import balances, holds, leases, posting
from billing.ledger import lots as grants
from billing.models import Grant, Hold, LedgerAccount, LedgerEntry
from tests.billing.ledger import eager_book

Kind = LedgerEntry.Kind
START = datetime(2031, 5, 1, tzinfo=UTC)
STEPS = 14
MINUTE = timedelta(minutes=1)
KEPT_FIRST = "NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END"  # of the order in which lots burn

# How often each is drawn.
STEPS_BY_NAME = {
    "credit": 6, "use": 5, "debit": 2, "place": 6, "capture": 3, "release": 2, "draw": 3, "extend": 3, "take_back": 3,
    "correct": 2, "read": 2,
}  # fmt: skip


@dataclass
class Script:
    """One account's story. `differences` are what the ledger and the book did not agree on; it ends at the first."""

    seed: int
    payer: Organization
    credit_limit: Decimal = Decimal(0)
    lots: list[tuple[int, Decimal, eager_book.Lot]] = field(default_factory=list)
    holds: list[tuple[Hold, eager_book.Hold]] = field(default_factory=list)
    debits: list[tuple[int, Decimal]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    now: datetime = START

    def __post_init__(self) -> None:
        self.chance = Random(self.seed)
        self.book = eager_book.EagerBook(self.credit_limit)
        self.steps: list[str] = []

    def play(self) -> list[str]:
        """Both through the whole script; the differences, with the script so far."""
        names, weights = zip(*STEPS_BY_NAME.items(), strict=True)
        with time_machine.travel(self.now, tick=False) as clock:
            for name in ["credit", *self.chance.choices(names, weights, k=STEPS), "read"]:
                self.now += self.chance.randint(1, 30) * MINUTE
                clock.move_to(self.now)
                self.book.advance(self.now)
                step: Callable[[], Any] = getattr(self, name)
                self.steps.append(f"{self.now:%H:%M} {name}: {step()}")
                if self.differences:
                    break
        return self.differences and [*self.steps, *self.differences]

    def agree(self, what: str, ours: object, theirs: object) -> None:
        if ours != theirs:
            self.differences.append(f"{what}: the ledger says {ours}, the book {theirs}")

    def amount(self, most: int = 40) -> Decimal:
        return Decimal(self.chance.randint(1, most * 2)) / 2

    def later(self) -> datetime:
        return self.now + self.chance.randint(5, 120) * MINUTE

    def credit(self) -> str:
        kind = self.chance.choice([Kind.PURCHASE, Kind.GRANT])
        return self._credit(kind, self.amount(80), self.chance.choice([10, 50, 50, 90]))

    def _credit(self, kind: LedgerEntry.Kind, amount: Decimal, priority: int, **options: Any) -> str:
        expires_at = self.chance.choice([None, self.later(), self.later()])
        theirs = eager_book.Lot(priority, expires_at)
        lot = grants.Lot(Grant.Category.PAID, priority, expires_at)
        self.book.post(amount, theirs)
        posted = posting.post(self.payer.pk, kind=kind, amount=amount, lot=lot, **options, now=timezone.now())
        self.lots.append((posted.seq, amount, theirs))
        self.agree("balance_after", posted.balance_after, self.book.balance)
        return f"{kind} {amount} priority {priority} until {expires_at and expires_at.strftime('%H:%M')}"

    def use(self) -> str:
        """Usage as it is posted alone, or as a batch posts it; never refused."""
        amount = self.amount()
        self.book.use(amount)
        if self.chance.random() < 0.5:
            posting.post(self.payer.pk, kind=Kind.USAGE, amount=-amount, now=timezone.now())
        else:
            self._batch(amount)
        return str(amount)

    def _batch(self, amount: Decimal, hold: Hold | None = None) -> None:
        with transaction.atomic():
            posting.lock([self.payer.pk], timezone.now())
            holds.capture_by_usage({(self.payer.pk, hold.pk): amount} if hold else {}, self.now)
            balances.post_usage({self.payer.pk: amount}, self.now)

    def debit(self) -> str:
        kind, amount = self.chance.choice([Kind.SUBSCRIPTION, Kind.USAGE]), self.amount()
        admitted = self.book.debit(amount)
        try:
            posted = posting.debit(self.payer.pk, kind=kind, amount=amount, now=timezone.now())
            self.debits.append((posted.seq, amount))
            self.agree("debit", True, admitted)
        except NotEnoughCredits as refusal:
            self.agree("debit", False, admitted)
            self.agree("available", refusal.members["available"], self.book.available)
        return f"{kind} {amount} {admitted}"

    def place(self) -> str:
        amount, ttl = self.amount(), self.chance.randint(5, 120) * MINUTE
        reserve = self.chance.choice([holds.place, leases.take])
        theirs = eager_book.Hold(amount, self.now, self.now + ttl, is_lease=reserve is leases.take)
        admitted = self.book.place(theirs)
        try:
            hold = reserve(self.payer, amount=amount, ttl=ttl, now=timezone.now())
            self.agree("place", True, admitted)
            self.holds.append((hold, theirs))
        except NotEnoughCredits as refusal:
            self.agree("place", False, admitted)
            self.agree("available", refusal.members["available"], self.book.available)
        return f"{reserve.__module__} {amount} for {ttl} {admitted}"

    def _a_hold(self) -> tuple[Hold, eager_book.Hold] | None:
        return self.chance.choice(self.holds) if self.holds else None

    def capture(self) -> str:
        """For less, for all, or for more; late as well, and again."""
        if not (pair := self._a_hold()):
            return "nothing"
        hold, theirs = pair
        amount = self.chance.choice([theirs.amount, theirs.amount / 2, theirs.amount + self.amount(10), Decimal(0)])
        expected = self.book.capture(theirs, amount)
        return f"{amount} {self._resolve(lambda: holds.capture(hold, amount, now=timezone.now()), expected)}"

    def release(self) -> str:
        if not (pair := self._a_hold()):
            return "nothing"
        return self._resolve(lambda: holds.release(pair[0], now=timezone.now()), self.book.release(pair[1]))

    def _resolve(self, verb: Callable[[], object], theirs: bool) -> str:
        try:
            verb()
            self.agree("resolve", True, theirs)
        except holds.HoldResolved:
            self.agree("resolve", False, theirs)
        return str(theirs)

    def draw(self) -> str:
        """Usage that names a hold."""
        if not (pair := self._a_hold()):
            return "nothing"
        amount = self.amount(20)
        self.book.use(amount, [(pair[1], amount)])
        self._batch(amount, pair[0])
        return str(amount)

    def extend(self) -> str:
        pairs = [(hold, theirs) for hold, theirs in self.holds if theirs.is_lease]
        if not pairs:
            return "nothing"
        (hold, theirs), amount, ttl = self.chance.choice(pairs), self.amount(20), self.chance.randint(5, 120) * MINUTE
        extended = self.book.extend(theirs, amount, self.now + ttl)
        try:
            leases.extend(hold, amount=amount, ttl=ttl, now=timezone.now())
            self.agree("extend", True, extended)
        except (NotEnoughCredits, leases.LeaseEnded):
            self.agree("extend", False, extended)
        return f"{amount} for {ttl} {extended}"

    def take_back(self) -> str:
        """A refund, a chargeback or a reversal of what brought credits: of all, or of a part."""
        if not self.lots:
            return "nothing"
        (seq, brought, theirs), kind = self.chance.choice(self.lots), self.chance.choice([Kind.REFUND, Kind.CHARGEBACK])
        amount = self.chance.choice([brought, brought / 2])
        self.book.post(-amount, own_lot=theirs)
        posted = posting.post(self.payer.pk, kind=kind, amount=-amount, own_lot=seq, now=timezone.now())
        self.agree("balance_after", posted.balance_after, self.book.balance)
        return f"{amount} of entry {seq}"

    def correct(self) -> str:
        """An adjustment up or down, or the reversal of a debit, whose lot has a stated expiry."""
        if self.debits and self.chance.random() < 0.5:
            seq, amount = self.debits.pop(self.chance.randrange(len(self.debits)))
            return self._credit(Kind.REVERSAL, amount, 50, reverses_seq=seq)
        amount = self.amount()
        if self.chance.random() < 0.5:
            return self._credit(Kind.ADJUSTMENT, amount, 50)
        self.book.post(-amount)
        posting.post(self.payer.pk, kind=Kind.ADJUSTMENT, amount=-amount, now=timezone.now())
        return f"-{amount}"

    def read(self) -> str:
        state = posting.current(self.payer.pk, timezone.now()) or LedgerAccount()
        self.agree("balance", state.balance, self.book.balance)
        self.agree("reserved", state.reserved, self.book.reserved)
        self.agree("lots", self._remaining(), {seq: lot.remaining for seq, _, lot in self.lots if lot.remaining})
        self.agree("expired", self._expired(), {seq: lot.expired for seq, _, lot in self.lots if lot.expired})
        return f"balance {self.book.balance}, reserved {self.book.reserved}"

    def _remaining(self) -> dict[int, Decimal]:
        posting.bring_up_to_date(self.payer.pk, timezone.now())
        rows = Grant.objects.of(self.payer).filter(remaining__gt=0)
        return dict(rows.values_list("entry_seq", "remaining"))

    def _expired(self) -> dict[int, Decimal]:
        entries = LedgerEntry.objects.of(self.payer).filter(kind=Kind.EXPIRY)
        expired = dict(entries.values_list("reference").annotate(total=-Sum("amount")))
        names = {lot.public_id: lot.entry_seq for lot in Grant.objects.of(self.payer)} if expired else {}
        return {names[reference]: amount for reference, amount in expired.items()}
