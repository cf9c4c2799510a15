"""Holds: credits reserved for work that is not finished, and what becomes of them.

Placing admits, and is refused beyond what is available. Capturing settles, and never is: it may take less than was
held, or more. An overdue hold counts for nobody; captured all the same, it is late, and a plain debit.

A lease is a hold that a gateway spends from by itself: usage that names it draws it down while it is open. It is no
more spent from after `spend_until`; what is reported after that, until `expires_at`, is still covered.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.lib import jsonb, sql
from accounts.lib.identifiers import uuid7
from accounts.lib.money import ZERO
from accounts.lib.problems import Conflict, Forbidden
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.exceptions import NotEnoughCredits
from billing.ledger import budgets, lots, posting
from billing.models import Hold

# Members of a WITH: what `room` (account_id, organization_id, key_id, granted) grants is reserved and written down, if
# it is still available once the account is locked. No budget is looked at.
PLACED = """
account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, %(expires_at)s), updated_at = %(now)s
      FROM room
     WHERE a.organization_id = room.account_id AND a.balance - a.reserved + a.credit_limit >= room.granted
    RETURNING room.*, a.balance - a.reserved + a.credit_limit AS available),
hold AS (
    INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                              metadata, created_at, expires_at, spend_until, by_platform)
    SELECT %(id)s, account_id, organization_id, key_id, %(purpose)s, granted, 0, 'open', %(reference)s,
           %(metadata)s, %(now)s, %(expires_at)s, %(spend_until)s::timestamptz,
           %(by_platform)s
      FROM account
    RETURNING id, amount)
"""

# `minimum` is what it takes at least; of what is available more is taken, up to `amount`.
PLACE = f"""
WITH room AS (
    SELECT organization_id AS account_id, %(organization)s::uuid AS organization_id, %(key)s::uuid AS key_id,
           least(%(amount)s, balance - reserved + credit_limit) AS granted
      FROM billing_ledgeraccount
     WHERE organization_id = %(account)s AND balance - reserved + credit_limit >= %(minimum)s),
{PLACED}
SELECT id FROM hold
"""  # noqa: S608 (both are constants)

# Without an amount, all that is still held. A lease may have been drawn from before.
CAPTURE = """
WITH old AS (
    SELECT *, greatest(amount - captured, 0) AS unspent,
           coalesce(%(amount)s::numeric, greatest(amount - captured, 0)) AS taken
      FROM billing_hold WHERE id = %(hold)s),
hold AS (
    UPDATE billing_hold h
       SET status = 'captured', captured = old.captured + old.taken, resolved_at = %(now)s,
           late = (old.status = 'expired'),
           entry_seq = CASE WHEN old.taken > 0 THEN a.seq + 1 END
      FROM old JOIN billing_ledgeraccount a ON a.organization_id = old.account_id
     WHERE h.id = old.id AND old.status IN ('open', 'expired')
    RETURNING h.account_id, old.taken, CASE old.status WHEN 'open' THEN old.unspent ELSE 0 END AS freed)
UPDATE billing_ledgeraccount a SET reserved = a.reserved - hold.freed, updated_at = %(now)s
  FROM hold WHERE a.organization_id = hold.account_id
RETURNING hold.taken
"""

RELEASE = """
WITH hold AS (
    UPDATE billing_hold h SET status = 'released', resolved_at = %(now)s
      FROM billing_hold old WHERE h.id = %(hold)s AND old.id = h.id AND old.status IN ('open', 'expired')
    RETURNING h.account_id, CASE old.status WHEN 'open' THEN greatest(old.amount - old.captured, 0) ELSE 0 END AS freed)
UPDATE billing_ledgeraccount a SET reserved = a.reserved - hold.freed, updated_at = %(now)s
  FROM hold WHERE a.organization_id = hold.account_id
RETURNING a.organization_id
"""

EXTEND = """
WITH account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + greatest(h.amount + %(amount)s - h.captured, 0) - greatest(h.amount - h.captured, 0),
           updated_at = %(now)s
      FROM billing_hold h
     WHERE h.id = %(hold)s AND h.status = 'open' AND a.organization_id = h.account_id
       AND (%(amount)s = 0 OR a.balance - a.reserved + a.credit_limit >= %(amount)s)
    RETURNING h.id)
UPDATE billing_hold h SET amount = h.amount + %(amount)s, spend_until = %(spend_until)s, expires_at = %(expires_at)s
  FROM account WHERE h.id = account.id
RETURNING h.id
"""

# A hold is captured by the first usage that names it, a lease drawn from by all. What names a resolved one is plain
# usage: it finds no hold here, and nothing to free.
CAPTURE_BY_USAGE = """
WITH used AS (SELECT * FROM unnest(%(holds)s::uuid[], %(credits)s::numeric[]) AS used(id, credits)),
hold AS (
    UPDATE billing_hold h
       SET captured = old.captured + used.credits,
           status = CASE old.purpose WHEN 'lease' THEN old.status ELSE 'captured' END,
           late = (old.purpose <> 'lease' AND old.status = 'expired'),
           resolved_at = CASE old.purpose WHEN 'lease' THEN old.resolved_at ELSE %(now)s END
      FROM used JOIN billing_hold old ON old.id = used.id
     WHERE h.id = old.id AND old.status IN ('open', 'expired')
    RETURNING h.account_id, CASE WHEN old.status <> 'open' THEN 0
                                 WHEN old.purpose = 'lease' THEN least(greatest(old.amount - old.captured, 0),
                                                                       used.credits)
                                 ELSE old.amount END AS freed),
account AS (SELECT account_id, sum(freed) AS freed FROM hold GROUP BY account_id)
UPDATE billing_ledgeraccount a SET reserved = a.reserved - account.freed, updated_at = %(now)s
  FROM account WHERE a.organization_id = account.account_id
"""


class PlatformsHold(Forbidden):
    """What the company's platform reserved for a call, the customer who pays for the call does not set free."""

    code = "platforms_hold"
    detail = "This hold was placed by the platform, which captures or releases it."


class LiveKeyRequired(Forbidden):
    """What is done with a test key costs nothing, so that it has nothing to do with credits that are held."""

    code = "live_key_required"
    detail = "A test key reserves no credits, and frees or debits none. Use a live one."


class HoldResolved(Conflict):
    """A hold is captured or released once."""

    code = "hold_resolved"

    def __init__(self, hold: Hold) -> None:
        super().__init__(f"The hold is {hold.status} already.", status_of_hold=hold.status)


class LeaseEnded(Conflict):
    """A lease that was returned or has expired is not extended, nor one for which expired credits are kept."""

    code = "lease_ended"
    detail = "The lease has ended. Take another."


@transaction.atomic
def place(
    organization: Organization,
    *,
    amount: Decimal,
    ttl: timedelta,
    key: ApiKey | None = None,
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    purpose: Hold.Purpose = Hold.Purpose.HOLD,
    minimum: Decimal | None = None,
    grace: timedelta = timedelta(0),
    by_platform: bool = False,
) -> Hold:
    """Reserve `amount` for `ttl`. `BudgetExceeded` and `NotEnoughCredits` refuse it, and nothing has changed.

    With a `minimum`, what is available is taken, up to `amount`, if it is at least that.
    """
    now, payer = timezone.now(), organization.root_id
    posting.lock([payer], now)
    granted = budgets.admit(organization, key, amount, now, minimum)
    parameters = {
        "id": uuid7(),
        "account": payer,
        "organization": organization.pk,
        "key": key.pk if key else None,
        "purpose": purpose.value,
        "amount": granted,
        "minimum": amount if minimum is None else minimum,
        "reference": reference,
        "metadata": jsonb.parameter(metadata or {}),
        "now": now,
        "by_platform": by_platform,
        "spend_until": now + ttl if purpose is Hold.Purpose.LEASE else None,
        "expires_at": now + ttl + grace,
    }
    placed = sql.rows(PLACE, parameters)
    if not placed:
        raise NotEnoughCredits(posting.available(payer))
    return _found(placed[0][0])


@transaction.atomic
def capture(hold: Hold, amount: Decimal | None = None, *, actor: str = "") -> Hold:
    """Debit `amount`, all that is still held unless given, and free the hold; `HoldResolved` the second time."""
    now = timezone.now()
    posting.lock([hold.account_id], now)
    captured = sql.rows(CAPTURE, {"hold": hold.pk, "amount": amount, "now": now})
    if not captured:
        raise HoldResolved(_again(hold))
    [(taken,)], hold = captured, _again(hold)  # its organization may have moved before the lock
    if taken > ZERO:
        about = {"description": "Hold captured", "reference": hold.reference or hold.public_id, "actor": actor}
        posting.post_capture(hold.account_id, taken, now, **about)
        budgets.count(hold, taken, now)
    return hold


@transaction.atomic
def release(hold: Hold) -> Hold:
    """Free what is still held, and take no more from it; `HoldResolved` the second time."""
    now = timezone.now()
    posting.lock([hold.account_id], now)
    if not sql.rows(RELEASE, {"hold": hold.pk, "now": now}):
        raise HoldResolved(_again(hold))
    return _again(hold)


@transaction.atomic
def extend(lease: Hold, *, amount: Decimal, ttl: timedelta) -> Hold:
    """Let an open lease live for `ttl` from now, with `amount` more; the grace after it stays as long as it was.

    Time alone is not refused for want of credits: what the lease has is reserved already. `LeaseEnded` while credits
    are kept for it past their expiry: it would keep them without end.
    """
    now = timezone.now()
    posting.lock([lease.account_id], now)
    lease = _again(lease)
    if lease.status != Hold.Status.OPEN or lease.spend_until is None:
        raise LeaseEnded
    if lots.is_kept(lease.account_id, lease.created_at):
        raise LeaseEnded
    if amount:
        budgets.admit(lease.organization, lease.key, amount, now)
    until = max(lease.spend_until, now + ttl)
    grace = lease.expires_at - lease.spend_until
    times = {"now": now, "spend_until": until, "expires_at": until + grace}
    if not sql.rows(EXTEND, {"hold": lease.pk, "amount": amount, **times}):
        raise NotEnoughCredits(posting.available(lease.account_id))
    return _again(lease)


def capture_by_usage(credits: Mapping[UUID, Decimal], now: datetime) -> None:
    """Free what usage took from the holds that it named: credits a hold. The payers are locked, and pay by usage."""
    if credits:
        sql.rows(CAPTURE_BY_USAGE, {"holds": list(credits), "credits": list(credits.values()), "now": now})


def _again(hold: Hold) -> Hold:
    return _found(hold.pk)


def _found(pk: UUID) -> Hold:
    return Hold.objects.select_related("organization", "key").get(pk=pk)
