"""What falls due in an account: holds at their expiry, and the moment before which nothing else does.

Every verb needs the account's lock.
"""

from datetime import datetime
from uuid import UUID

from accounts.lib import sql

EXPIRE_HOLDS = """
WITH overdue AS (
    UPDATE billing_hold SET status = 'expired'
     WHERE account_id = %(account)s AND status = 'open' AND expires_at <= %(now)s
    RETURNING greatest(amount - captured, 0) AS unspent)
UPDATE billing_ledgeraccount SET reserved = reserved - (SELECT sum(unspent) FROM overdue), updated_at = %(now)s
 WHERE organization_id = %(account)s AND EXISTS (SELECT FROM overdue)
"""

# A lot that is kept for a hold leaves this in the past: until the hold is resolved, every posting settles first.
RESCHEDULE = """
UPDATE billing_ledgeraccount a SET due_at = earliest.due_at
  FROM (SELECT least(
               (SELECT min(expires_at) FROM billing_hold WHERE account_id = %(account)s AND status = 'open'),
               (SELECT min(expires_at) FROM billing_grant WHERE account_id = %(account)s AND remaining > 0)) AS due_at)
       earliest
 WHERE a.organization_id = %(account)s AND a.due_at IS DISTINCT FROM earliest.due_at
"""


def expire_holds(account: UUID, now: datetime) -> None:
    """Let the overdue holds go: they count for nobody from here on."""
    sql.rows(EXPIRE_HOLDS, {"account": account, "now": now})


def reschedule(account: UUID) -> None:
    """Set `due_at` anew, where it changes."""
    sql.rows(RESCHEDULE, {"account": account})
