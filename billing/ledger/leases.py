"""Leases: holds that a gateway spends from by itself. Usage that names a lease draws it down while it is open.

A gateway stops spending at `spend_until`. Usage that it reports after that is still covered until `expires_at`.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.lib import sql
from accounts.lib.problems import Conflict
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.exceptions import NotEnoughCredits
from billing.ledger import balances, budgets, holds, lots, posting
from billing.ledger.holds import Reservation
from billing.models import Hold

# If usage has already taken more than the lease, that part of the added amount is not reserved again. Adding only time
# needs no credits, because they are reserved already.
EXTEND = sql.compose(
    """
WITH room AS (
    SELECT account_id, id,
           greatest(amount + %(amount)s - captured, 0) - greatest(amount - captured, 0) AS granted
      FROM billing_hold WHERE account_id = %(account)s AND id = %(hold)s AND status = 'open'),
{reserve}
UPDATE billing_hold h SET amount = h.amount + %(amount)s, spend_until = %(spend_until)s, expires_at = %(expires_at)s
  FROM account WHERE h.account_id = %(account)s AND h.id = account.id
RETURNING h.id
""",
    reserve=sql.compose(
        balances.RESERVE,
        admitted=f"a.organization_id = %(account)s AND (%(amount)s = 0 OR {balances.AVAILABLE} >= %(amount)s)",
    ),
)


class LeaseEnded(Conflict):
    """A lease is not extended after it was returned or has expired, nor while expired credits are kept for it."""

    code = "lease_ended"
    detail = "The lease has ended. Take another."


def take(
    organization: Organization,
    *,
    amount: Decimal,
    ttl: timedelta,
    now: datetime,
    grace: timedelta = timedelta(0),
    minimum: Decimal | None = None,
    key: ApiKey | None = None,
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    by_platform: bool = False,
) -> Hold:
    """Reserve up to `amount`, and at least `minimum` of it, which is all unless given. It is spent from for `ttl`, and
    what was spent is reported within `grace` after that. `BudgetExceeded` and `NotEnoughCredits` refuse it."""
    reservation = Reservation(
        organization=organization,
        amount=amount,
        minimum=minimum,
        key=key,
        purpose=Hold.Purpose.LEASE,
        reference=reference,
        metadata=metadata or {},
        by_platform=by_platform,
        spend_until=now + ttl,
        expires_at=now + ttl + grace,
    )
    return holds.reserve(reservation, now)


@transaction.atomic
def extend(lease: Hold, *, amount: Decimal, ttl: timedelta, now: datetime) -> Hold:
    """Let an open lease live for `ttl` from now, with `amount` more; the grace after it stays as long as it was.

    `LeaseEnded` while credits are kept for it past their expiry: otherwise it could keep them for ever.
    """
    zone = posting.lock([lease.account_id], now)[lease.account_id].zone
    lease = holds.load(lease.account_id, lease.pk)
    if lease.status != Hold.Status.OPEN or lease.spend_until is None:
        raise LeaseEnded
    if lots.is_kept(lease.account_id, lease.created_at):
        raise LeaseEnded
    if amount:
        budgets.admit(lease.organization, lease.key, amount, month=zone.month_of(now), now=now)
    spend_until, grace = max(lease.spend_until, now + ttl), lease.expires_at - lease.spend_until
    times = {"now": now, "spend_until": spend_until, "expires_at": spend_until + grace}
    if not sql.rows(EXTEND, {"account": lease.account_id, "hold": lease.pk, "amount": amount, **times}):
        raise NotEnoughCredits(posting.available(lease.account_id, now))
    return holds.load(lease.account_id, lease.pk)
