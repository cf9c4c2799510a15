"""The balance at both ends of a closed month, and what moved it.

Each event counts in the month in which it is billed, and every other entry in the month in which it was made. A void in
the month in which its event is billed takes it out of that month, so both count in none.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from accounts.lib import distribution, sql
from usage.storage import ended_months

MOVED = """
SELECT account_id, kind, sum(amount)
  FROM (SELECT m.account_id, kind, amount
          FROM {months} JOIN billing_ledgerentry e
            ON e.account_id = m.account_id AND e.created_at >= m.since AND e.created_at < m.ends_at
         WHERE kind <> 'usage'
         UNION ALL
        SELECT m.account_id, 'adjustment', -e.credits
          FROM {months}
          JOIN usage_eventvoid v ON v.account_id = m.account_id AND v.created_at >= m.since AND v.created_at < m.ends_at
          JOIN usage_event e ON (e.account_id, e.organization_id, e.id, e.recorded_at)
                              = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
         WHERE e.billed_in = m.month OR e.billed_in IS NULL AND e.occurred_at >= m.since) moved
 GROUP BY account_id, kind
"""
OF_SEVERAL = sql.compose(MOVED, months=ended_months.MONTHS)
OF_ONE = sql.compose(MOVED, months=ended_months.MONTH_OF_ONE)


@dataclass(frozen=True)
class MonthBalance:
    """`moved` is signed, by the kind of entry. `used` is what the frozen usage cost."""

    opening: Decimal
    moved: Mapping[str, Decimal]
    used: Decimal

    @property
    def closing(self) -> Decimal:
        return sum(self.moved.values(), self.opening) - self.used


def moved(parameters: sql.Parameters) -> Mapping[UUID, Mapping[str, Decimal]]:
    """The movements of the balances in the months of `ended_months.parameters`, apart from usage."""
    amounts: defaultdict[UUID, dict[str, Decimal]] = defaultdict(dict)
    statement = OF_ONE if distribution.is_distributed() else OF_SEVERAL
    for account, kind, amount in sql.rows(statement, parameters):
        amounts[account][kind] = amount
    return amounts
