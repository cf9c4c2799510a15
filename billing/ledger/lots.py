"""Lots of credits: what is left of each, burnt by priority, then soonest expiry, then oldest. Before all of them burns
what is kept for holds past its expiry, soonest expired first.

Usage and captures only lower the balance. What they burn is the difference between the lots and the balance, and is
allotted to the lots when that matters: before anything else is posted, when a lot falls due, and when someone asks. So
a posting costs the same however many lots there are. Every verb needs the account's lock.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.lib import sql
from accounts.lib.money import ZERO
from billing.models import Grant

# A debt is owed before anything is had: below zero, every lot is empty.
ALLOT = """
WITH lot AS (
    SELECT g.id, g.remaining, sum(g.remaining) OVER burnt - g.remaining AS before,
           sum(g.remaining) OVER () - greatest(a.balance, 0) AS spent
      FROM billing_grant g JOIN billing_ledgeraccount a ON a.organization_id = g.account_id
     WHERE g.account_id = %(account)s AND g.remaining > 0
    WINDOW burnt AS (ORDER BY NOT g.kept, CASE WHEN NOT g.kept THEN g.priority END, g.expires_at NULLS LAST,
                              g.created_at, g.id ROWS UNBOUNDED PRECEDING))
UPDATE billing_grant g SET remaining = g.remaining - least(lot.remaining, lot.spent - lot.before)
  FROM lot WHERE g.id = lot.id AND lot.spent > lot.before
"""

# A lot that is due keeps what the open holds placed before its expiry may still take, less what is kept by those that
# were due before it. What is kept burns before everything else: so a capture of what was held takes no other credits,
# which others may hold already. `unheld` is what the lots so far have beyond their holds; its maximum so far lapses.
EXPIRE = """
WITH due AS (
    SELECT g.id, row_number() OVER expiry AS place,
           sum(g.remaining) OVER expiry
           - (SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h
               WHERE h.account_id = g.account_id AND h.status = 'open' AND h.created_at < g.expires_at) AS unheld
      FROM billing_grant g
     WHERE g.account_id = %(account)s AND g.remaining > 0 AND g.expires_at <= %(now)s
    WINDOW expiry AS (ORDER BY g.expires_at, g.created_at, g.id)),
lapse AS (SELECT id, place, greatest(max(unheld) OVER (ORDER BY place), 0) AS so_far FROM due),
lot AS (SELECT id, so_far - lag(so_far, 1, 0::numeric) OVER (ORDER BY place) AS lapsed FROM lapse)
UPDATE billing_grant g
   SET remaining = g.remaining - lot.lapsed, kept = g.remaining > lot.lapsed
  FROM lot WHERE g.id = lot.id AND (lot.lapsed > 0 OR NOT g.kept)
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
    """What is said about a lot that an entry brings: `priority` from 0, which burns first, to 100."""

    category: str = Grant.Category.PAID
    priority: int = Grant.ORDINARY
    expires_at: datetime | None = None


@dataclass(frozen=True)
class Expired:
    """What was left of a lot, and is no more."""

    reference: str
    amount: Decimal


def allot(account: UUID) -> None:
    """Burn what was spent and not allotted yet. After it the lots add up to max(balance, 0)."""
    sql.rows(ALLOT, {"account": account})


def expire(account: UUID, now: datetime) -> list[Expired]:
    """Empty the lots that are due, but for what they keep for holds. The caller posts what is returned."""
    found = sql.rows(EXPIRE, {"account": account, "now": now})
    return [Expired(Grant(id=lot).public_id, lapsed) for lot, lapsed in sorted(found) if lapsed]


def is_kept(account: UUID, placed: datetime) -> bool:
    """Whether a lot is kept past its expiry for a hold that was placed at `placed`. What is due was settled."""
    return bool(sql.rows(KEPT, {"account": account, "placed": placed}))


def add(account: UUID, lot: Lot, *, seq: int, amount: Decimal, balance_after: Decimal, now: datetime) -> None:
    """The lot of a posted entry; of it, what pays a debt is gone at once."""
    Grant.objects.create(
        account_id=account,
        entry_seq=seq,
        category=lot.category,
        priority=lot.priority,
        amount=amount,
        remaining=min(amount, max(balance_after, ZERO)),
        expires_at=lot.expires_at,
        created_at=now,
    )


def take(account: UUID, seq: int, amount: Decimal) -> None:
    """Burn the lot that entry `seq` brought before any other: it is that lot which goes back."""
    sql.rows(TAKE, {"account": account, "seq": seq, "amount": amount})
