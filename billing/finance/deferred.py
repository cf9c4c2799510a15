"""Deferred revenue: what was left of sold credits at a given time. It follows from the entries up to then, so it can be
computed later.

The lots themselves only know what is left now. So they are burnt again, in the order of `billing.ledger.lots`: an
entry's own lot first, then those past their expiry, then by priority, expiry and age.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.lib import sql
from accounts.lib.money import ZERO
from billing.models import Grant, LedgerEntry

LAST = datetime.max.replace(tzinfo=UTC)

# An entry that takes something back names the entry whose lot goes first: that of its payment, or the one it reverses.
ENTRIES = """
SELECT e.seq, e.kind, e.amount, e.balance_after, e.reference, coalesce(p.seq, e.reverses_seq), e.created_at,
       g.id, g.category, g.priority, g.expires_at
  FROM billing_ledgerentry e
  LEFT JOIN billing_grant g ON g.account_id = e.account_id AND g.entry_seq = e.seq
  LEFT JOIN billing_ledgerentry p
    ON p.account_id = e.account_id AND p.idempotency_key = 'payment:' || substr(e.reference, 5)
   AND e.kind IN ('refund', 'chargeback')
 WHERE e.account_id = %(account)s AND e.created_at < %(end)s AND e.seq > %(after)s
 ORDER BY e.seq LIMIT %(batch)s
"""
BATCH = 10_000  # entries in memory


@dataclass
class _Lot:
    seq: int
    category: str
    priority: int
    expires_at: datetime
    remaining: Decimal

    def place(self, now: datetime) -> tuple[bool, int, datetime, int]:
        """Its place in the order in which lots burn."""
        is_kept = self.expires_at <= now
        return not is_kept, 0 if is_kept else self.priority, self.expires_at, self.seq

    def burn(self, amount: Decimal) -> Decimal:
        """Returns what is still to be burnt."""
        burnt = min(self.remaining, amount)
        self.remaining -= burnt
        return amount - burnt


def paid(account: UUID, end: datetime) -> Decimal:
    """How many of the credits that an account bought were unused by then."""
    lots = _replay(_entries(account, end))
    return sum((lot.remaining for lot in lots if lot.category == Grant.Category.PAID), ZERO)


def _entries(account: UUID, end: datetime) -> Iterator[tuple[Any, ...]]:
    after = 0
    while batch := sql.rows(ENTRIES, {"account": account, "end": end, "after": after, "batch": BATCH}):
        yield from batch
        after = batch[-1][0]


def _replay(entries: Iterable[tuple[Any, ...]]) -> list[_Lot]:
    lots: dict[int, _Lot] = {}
    expiring: dict[str, int] = {}
    for seq, kind, amount, balance_after, reference, own, created_at, *terms in entries:
        if amount > 0:
            lot, category, priority, expires_at = terms
            lots[seq] = _Lot(seq, category, priority, expires_at or LAST, min(amount, max(balance_after, ZERO)))
            expiring[Grant(id=lot).public_id] = seq
            continue
        first = expiring.get(reference) if kind == LedgerEntry.Kind.EXPIRY else own
        rest = lots[first].burn(-amount) if first in lots else -amount
        for lot in sorted(lots.values(), key=lambda lot: lot.place(created_at)) if rest else ():
            rest = lot.burn(rest)
        lots = {seq: lot for seq, lot in lots.items() if lot.remaining}
    return list(lots.values())
