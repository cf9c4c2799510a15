"""The balance at both ends of a closed month, and what moved it.

Each event counts in the month in which it is billed, and every other entry in the month in which it was made. A void in
the month in which its event is billed takes it out of that month, so both count in none.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from accounts.lib import sql
from accounts.lib.money import ZERO
from usage.models import MonthClose, MonthlyUsage

ALWAYS = datetime.min.replace(tzinfo=UTC)

MOVED = """
SELECT kind, sum(amount)
  FROM (SELECT kind, amount FROM billing_ledgerentry
         WHERE account_id = %(account)s AND created_at >= %(since)s AND created_at < %(end)s AND kind <> 'usage'
         UNION ALL
        SELECT 'adjustment', -e.credits
          FROM usage_eventvoid v JOIN usage_event e
            ON (e.account_id, e.organization_id, e.id, e.recorded_at)
             = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
         WHERE v.account_id = %(account)s AND v.created_at >= %(since)s AND v.created_at < %(end)s
           AND (e.billed_in = %(month)s OR e.billed_in IS NULL AND e.occurred_at >= %(since)s)) moved
 GROUP BY kind
"""


@dataclass(frozen=True)
class MonthBalance:
    """`moved` is signed, by the kind of entry. `used` is what the frozen usage cost."""

    opening: Decimal
    moved: Mapping[str, Decimal]
    used: Decimal

    @property
    def closing(self) -> Decimal:
        return sum(self.moved.values(), self.opening) - self.used


def of(close: MonthClose, opening: Decimal, usage: Iterable[MonthlyUsage]) -> MonthBalance:
    """Of a month whose usage is frozen. It begins with what the one before it left."""
    parameters = {
        "account": close.account_id,
        "month": close.month,
        "since": close.starts_at or ALWAYS,
        "end": close.ends_at,
    }
    used = sum((row.credits for row in usage), ZERO)
    return MonthBalance(opening, dict(sql.rows(MOVED, parameters)), used)
