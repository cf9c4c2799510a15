"""What the ledger ought to be, kept the eager way: a posting burns lots at once, and what falls due goes at its time.

It shares no code and no trick with the product, which does all of this lazily. Times are any that compare.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

ZERO = Decimal(0)


@dataclass
class Lot:
    """`kept` from its expiry on: what is left of it is there for holds that were placed before."""

    priority: int
    expires_at: datetime | None
    number: int = 0
    remaining: Decimal = ZERO
    expired: Decimal = ZERO
    kept: bool = False


@dataclass
class Hold:
    amount: Decimal
    created_at: datetime
    expires_at: datetime
    is_lease: bool = False
    captured: Decimal = ZERO
    status: str = "open"

    @property
    def unspent(self) -> Decimal:
        return max(self.amount - self.captured, ZERO) if self.status == "open" else ZERO


class EagerBook:
    def __init__(self, credit_limit: Decimal = ZERO) -> None:
        self.balance = ZERO
        self.credit_limit = credit_limit
        self.lots: list[Lot] = []
        self.holds: list[Hold] = []

    @property
    def reserved(self) -> Decimal:
        return sum((hold.unspent for hold in self.holds), ZERO)

    @property
    def available(self) -> Decimal:
        return self.balance - self.reserved + self.credit_limit

    def advance(self, now: datetime) -> None:
        """Let everything happen that falls due up to `now`, each thing at its time; a hold before a lot."""
        while moments := [at for at in self._due() if at <= now]:
            moment = min(moments)
            for hold in self.holds:
                if hold.status == "open" and hold.expires_at <= moment:
                    hold.status = "expired"
            for lot in self.lots:
                lot.kept = lot.kept or (lot.expires_at is not None and lot.expires_at <= moment)
            self._lapse()

    def _due(self) -> list[datetime]:
        holds = [hold.expires_at for hold in self.holds if hold.status == "open"]
        return holds + [lot.expires_at for lot in self.lots if lot.expires_at and lot.remaining and not lot.kept]

    def _lapse(self) -> None:
        """Of the lots past their expiry goes all that no hold, placed before it, may still take."""
        spoken_for = ZERO
        for lot in sorted((lot for lot in self.lots if lot.kept), key=lambda lot: (lot.expires_at, lot.number)):
            pins = sum((hold.unspent for hold in self.holds if hold.created_at < lot.expires_at), ZERO)  # type: ignore[operator]
            keep = min(lot.remaining, max(pins - spoken_for, ZERO))
            gone, lot.remaining, spoken_for = lot.remaining - keep, keep, spoken_for + keep
            lot.expired += gone
            self.balance -= gone

    def post(self, amount: Decimal, lot: Lot | None = None, own_lot: Lot | None = None) -> None:
        """Post one entry. A credit makes a lot of what is left after paying off debt; a debit burns lots."""
        self.balance += amount
        if amount > 0:
            assert lot is not None
            lot.number, lot.remaining = len(self.lots), min(amount, max(self.balance, ZERO))
            self.lots.append(lot)
        else:
            self._burn(-amount, [own_lot] if own_lot else [])
        self._lapse()

    def _burn(self, amount: Decimal, first: list[Lot]) -> None:
        for lot in first + sorted(self.lots, key=self._place):
            taken = min(lot.remaining, amount)
            lot.remaining -= taken
            amount -= taken

    @staticmethod
    def _place(lot: Lot) -> tuple[bool, int, bool, float, int]:
        """Kept credits burn first, soonest expired first; the others by priority, expiry and age."""
        expiry = lot.expires_at.timestamp() if lot.expires_at else 0.0
        return not lot.kept, 0 if lot.kept else lot.priority, lot.expires_at is None, expiry, lot.number

    def debit(self, amount: Decimal) -> bool:
        admitted = amount <= self.available
        if admitted:
            self.post(-amount)
        return admitted

    def place(self, hold: Hold) -> bool:
        admitted = hold.amount <= self.available
        if admitted:
            self.holds.append(hold)
        return admitted

    def capture(self, hold: Hold, amount: Decimal) -> bool:
        """A late one, of a hold that has expired, is a plain debit."""
        if hold.status not in ("open", "expired"):
            return False
        hold.status, hold.captured = "captured", hold.captured + amount
        self._settle(amount)
        return True

    def release(self, hold: Hold) -> bool:
        if hold.status not in ("open", "expired"):
            return False
        hold.status = "released"
        self._lapse()
        return True

    def extend(self, lease: Hold, amount: Decimal, until: datetime) -> bool:
        """Not while a lot is there past its expiry for the lease: it would be kept without end."""
        kept = any(lot.kept and lot.remaining and lease.created_at < lot.expires_at for lot in self.lots)  # type: ignore[operator]
        admitted = lease.status == "open" and not kept and amount <= self.available
        if admitted:
            lease.amount += amount
            lease.expires_at = max(lease.expires_at, until)
        return admitted

    def use(self, amount: Decimal, drawn: Iterable[tuple[Hold, Decimal]] = ()) -> None:
        """Usage, `drawn` of it from holds that it names: it captures those that are open, and draws from leases."""
        for hold, taken in drawn:
            if hold.status == "open":
                hold.captured += taken
                hold.status = hold.status if hold.is_lease else "captured"
        self._settle(amount)

    def _settle(self, amount: Decimal) -> None:
        if amount:
            self.post(-amount)
        else:
            self._lapse()
