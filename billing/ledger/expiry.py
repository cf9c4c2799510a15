"""What falls due in an account: expiring holds, and the next time at which anything falls due.

Every verb needs the account's lock.
"""

from datetime import datetime
from uuid import UUID

from accounts.lib import sql
from billing.ledger import balances

EXPIRE_HOLDS = sql.compose(
    """
WITH overdue AS (
    UPDATE billing_hold SET status = 'expired'
     WHERE account_id = %(account)s AND status = 'open' AND expires_at <= %(now)s
    RETURNING account_id, greatest(amount - captured, 0) AS unspent),
freed AS (SELECT account_id, sum(unspent) AS amount FROM overdue GROUP BY account_id),
{free}
SELECT FROM account
""",
    free=balances.FREE,
)

# A lot that is kept for a hold leaves `due_at` in the past: every posting looks what is due until the hold is resolved.
RESCHEDULE = """
UPDATE billing_ledgeraccount a SET due_at = earliest.due_at
  FROM (SELECT least(
               (SELECT min(expires_at) FROM billing_hold WHERE account_id = %(account)s AND status = 'open'),
               (SELECT min(expires_at) FROM billing_grant WHERE account_id = %(account)s AND remaining > 0)) AS due_at)
       earliest
 WHERE a.organization_id = %(account)s AND a.due_at IS DISTINCT FROM earliest.due_at
"""


def expire_holds(account: UUID, now: datetime) -> None:
    """Expire the overdue holds: they reserve nothing from here on."""
    sql.require_transaction()
    sql.rows(EXPIRE_HOLDS, {"account": account, "now": now})


def reschedule(account: UUID) -> None:
    """Set `due_at` anew, if it changes."""
    sql.require_transaction()
    sql.rows(RESCHEDULE, {"account": account})
