"""What holds of an account's books at every commit, however lazy lots and expiries are."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from accounts.lib import sql

# The balance is the sum of the entries, each balance the one before it plus the amount, seq has no gaps, `reserved` is
# what open holds may still take, and there is no balance without lots.
BROKEN = """
SELECT a.organization_id, a.balance, a.reserved, a.seq, e.total, e.n, e.last, e.breaks, h.held, g.lots
  FROM billing_ledgeraccount a
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(amount), 0) AS total, count(*) AS n, coalesce(max(seq), 0) AS last,
              count(*) FILTER (WHERE balance_after <> so_far) AS breaks
         FROM (SELECT *, sum(amount) OVER (ORDER BY seq) AS so_far FROM billing_ledgerentry
                WHERE account_id = a.organization_id) entry) e
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(greatest(amount - captured, 0)), 0) AS held FROM billing_hold
        WHERE account_id = a.organization_id AND status = 'open') h
 CROSS JOIN LATERAL (
       SELECT coalesce(sum(remaining), 0) AS lots FROM billing_grant WHERE account_id = a.organization_id) g
 WHERE a.organization_id = ANY(%(accounts)s::uuid[])
   AND ((a.balance, a.reserved, a.seq, a.seq, e.breaks) <> (e.total, h.held, e.n, e.last, 0)
        OR g.lots < greatest(a.balance, 0))
"""


def broken(accounts: Iterable[UUID]) -> list[Any]:
    """The accounts whose books don't agree, with the differences."""
    return sql.rows(BROKEN, {"accounts": list(accounts)})
