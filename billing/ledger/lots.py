"""Lots of credits: how much is left of each. They burn by priority, then soonest expiry, then oldest. Credits that are
kept for holds past their expiry burn before all others, those that expired first before the rest.

Usage and captures only lower the balance. What they burn is the difference between the lots and the balance. It is
allotted to the lots when that matters: before anything else is posted, when a lot falls due, and when someone reads the
lots. So a posting costs the same however many lots there are. Every verb needs the account's lock.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.lib import sql
from accounts.lib.money import ZERO
from billing.ledger.balances import Posting
from billing.models import Grant

# With a balance below zero, every lot is empty. `before` is what burns before a lot, `spent` is everything to be burnt.
ALLOT = """
WITH lot AS (
    SELECT g.entry_seq, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = %(account)s AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.entry_seq ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.account_id = %(account)s AND g.entry_seq = lot.entry_seq AND lot.spent > lot.before
"""

# A lot that is due keeps the credits that open holds, placed before its expiry, may still take, less what earlier lots
# keep for them. Kept credits burn before everything else, so that capturing a hold takes no credits that others have
# reserved meanwhile. `unheld` is what the lots up to this one have beyond the holds. As much of them lapses as the
# largest `unheld` so far, and a lot's own part is what it adds to that.
EXPIRE = """
WITH due AS (
    SELECT g.entry_seq, row_number() OVER expiry AS place,
           sum(g.remaining) OVER expiry
           - (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h
               WHERE h.account_id = %(account)s AND h.status = 'open' AND h.created_at < g.expires_at) AS unheld
      FROM billing_grant g
     WHERE g.account_id = %(account)s AND g.remaining > 0 AND g.expires_at <= %(now)s
    WINDOW expiry AS (ORDER BY g.expires_at, g.created_at, g.entry_seq)),
lapse AS (SELECT entry_seq, place, greatest(max(unheld) OVER (ORDER BY place), 0) AS so_far FROM due),
lot AS (SELECT entry_seq, so_far - lag(so_far, 1, 0::numeric) OVER (ORDER BY place) AS lapsed FROM lapse)
UPDATE billing_grant g
   SET remaining = g.remaining - lot.lapsed, kept = g.remaining > lot.lapsed
  FROM lot
 WHERE g.account_id = %(account)s AND g.entry_seq = lot.entry_seq AND (lot.lapsed > 0 OR NOT g.kept)
RETURNING g.id, lot.lapsed
"""

TAKE = """
UPDATE billing_grant SET remaining = remaining - least(remaining, %(amount)s)
 WHERE account_id = %(account)s AND entry_seq = %(seq)s AND remaining > 0
"""

KEPT = """
SELECT 1 FROM billing_grant
 WHERE account_id = %(account)s AND remaining > 0 AND kept AND expires_at > %(placed)s LIMIT 1
"""


@dataclass(frozen=True)
class Lot:
    """The terms of a lot that an entry brings. `priority` is from 0, which burns first, to 100."""

    category: str = Grant.Category.PAID
    priority: int = Grant.ORDINARY
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Expired:
    """How much of a lot has expired. `reference` is the public id of the grant."""

    reference: str
    amount: Decimal


def allot(account: UUID) -> None:
    """Burn what was spent and is not allotted yet. The lots then add up to max(balance, 0)."""
    sql.require_transaction()
    sql.rows(ALLOT, {"account": account})


def expire(account: UUID, now: datetime) -> list[Expired]:
    """Empty the lots that are due, except for what they keep for holds. The caller posts what is returned."""
    sql.require_transaction()
    rows = sql.rows(EXPIRE, {"account": account, "now": now})
    return [Expired(Grant(id=lot).public_id, lapsed) for lot, lapsed in sorted(rows) if lapsed]


def is_kept(account: UUID, placed: datetime) -> bool:
    """Whether a lot is kept past its expiry for a hold that was placed at `placed`. The account is up to date."""
    return bool(sql.rows(KEPT, {"account": account, "placed": placed}))


def add(posting: Posting, lot: Lot, *, amount: Decimal, now: datetime) -> None:
    """Add the lot of a posted entry of `amount`. The part that pays off a debt is spent at once."""
    sql.require_transaction()
    Grant.objects.create(
        account_id=posting.account_id,
        entry_seq=posting.seq,
        category=lot.category,
        priority=lot.priority,
        amount=amount,
        remaining=min(amount, max(posting.balance_after, ZERO)),
        expires_at=lot.expires_at,
        created_at=now,
    )


def take(account: UUID, seq: int, amount: Decimal) -> None:
    """Burn the lot that entry `seq` brought before any other: that lot goes back."""
    sql.require_transaction()
    sql.rows(TAKE, {"account": account, "seq": seq, "amount": amount})
