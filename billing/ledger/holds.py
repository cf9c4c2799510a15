"""Holds: credits reserved for work that is not finished, and what becomes of them.

Placing a hold is an admission, and is refused if the credits aren't available. Capturing is a settlement and never
refused; it may take less than was held, or more. An overdue hold reserves nothing. It can still be captured; that is
late, and a plain debit. A lease (`billing.ledger.leases`) is a hold that usage draws from.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.lib import distribution, jsonb, sql
from accounts.lib.identifiers import uuid7
from accounts.lib.money import ZERO
from accounts.lib.problems import Conflict, Forbidden
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.exceptions import NotEnoughCredits
from billing.ledger import balances, budgets, posting
from billing.ledger.balances import Entry
from billing.models import Hold

COLUMNS = """
INSERT INTO billing_hold (id, account_id, organization_id, key_id, purpose, amount, captured, status, reference,
                          metadata, created_at, expires_at, spend_until, by_platform)"""
ADMITTED = f"{balances.AVAILABLE} >= room.granted"

# Members of a WITH: what `room` (account_id, organization_id, key_id, granted) grants is reserved and the hold written,
# if it is still available in the latest row of the account. Budgets are not checked here.
PLACED = sql.compose(
    """
{reserve},
hold AS (
    {columns}
    SELECT %(id)s, account_id, organization_id, key_id, %(purpose)s, granted, 0, 'open', %(reference)s,
           %(metadata)s, %(now)s, %(expires_at)s, %(spend_until)s::timestamptz,
           %(by_platform)s
      FROM account
    RETURNING id, amount)
""",
    columns=COLUMNS,
    reserve=sql.compose(balances.RESERVE, admitted=ADMITTED),
)

# Takes what is available, up to `amount`, if that is at least `minimum`.
ROOM = sql.compose(
    """
room AS (
    SELECT a.organization_id AS account_id, %(organization)s::uuid AS organization_id, %(key)s::uuid AS key_id,
           least(%(amount)s::numeric, {available}) AS granted
      FROM billing_ledgeraccount a
     WHERE a.organization_id = %(account)s AND {available} >= %(minimum)s::numeric)""",
    available=balances.AVAILABLE,
)
PLACE = sql.compose("WITH {room}, {placed} SELECT id FROM hold", room=ROOM, placed=PLACED)

# The same in two statements, for distributed tables: see `balances.POSTED`.
RESERVED = sql.compose(
    "WITH {room}, {reserve} SELECT granted, available FROM account",
    room=ROOM,
    reserve=sql.compose(balances.RESERVE, admitted=f"a.organization_id = %(account)s AND {ADMITTED}"),
)
HOLD = sql.compose(
    """
{columns}
VALUES (%(id)s, %(account)s, %(organization)s, %(key)s::uuid, %(purpose)s, %(granted)s, 0, 'open', %(reference)s,
        %(metadata)s, %(now)s, %(expires_at)s, %(spend_until)s::timestamptz, %(by_platform)s)
RETURNING id
""",
    columns=COLUMNS,
)

# The hold under the lock, if it is not resolved yet. `held` is what it still reserves: nothing once it has expired.
UNRESOLVED = """
old AS (
    SELECT account_id, status, greatest(amount - captured, 0) AS unspent,
           CASE status WHEN 'open' THEN greatest(amount - captured, 0) ELSE 0 END AS held
      FROM billing_hold WHERE account_id = %(account)s AND id = %(hold)s AND status IN ('open', 'expired'))"""

MOVEMENT = """
movement AS (SELECT account_id, -coalesce(%(amount)s::numeric, unspent) AS amount, held AS freed FROM old)"""
CAPTURED = """
UPDATE billing_hold h
   SET status = 'captured', captured = h.captured - {amount}, resolved_at = %(now)s,
       late = (h.status = 'expired'), entry_seq = CASE WHEN {amount} <> 0 THEN {seq} END"""
# Debits `amount`, all that is unspent unless it is given, and writes the entry; of a lease, usage may have taken a part
# before. The hold is written last, since it names the entry. Nothing expires in between: a lot that was kept for
# the hold is burnt by the capture before what is left of it lapses.
CAPTURE = sql.compose(
    """
WITH {unresolved}, {movement}, {move},
entry AS ({entry})
{captured}
  FROM account WHERE h.account_id = %(account)s AND h.id = %(hold)s
RETURNING -account.amount, account.updated_at
""",
    unresolved=UNRESOLVED,
    movement=MOVEMENT,
    move=balances.MOVE,
    entry=sql.compose(balances.ENTRY, moved="account WHERE amount <> 0"),
    captured=sql.compose(CAPTURED, amount="account.amount", seq="account.seq"),
)

# The same in three statements, for distributed tables: see `balances.POSTED`.
MOVED = sql.compose(
    "WITH {unresolved}, {movement}, {move} SELECT account_id, seq, amount, balance, updated_at FROM account",
    unresolved=UNRESOLVED,
    movement=MOVEMENT,
    move=balances.MOVE,
)
CAPTURED_ALONE = sql.compose(
    "{captured} WHERE h.account_id = %(account)s AND h.id = %(hold)s",
    captured=sql.compose(CAPTURED, amount="%(moved)s::numeric", seq="%(seq)s::bigint"),
)

RELEASE = sql.compose(
    """
WITH {unresolved},
freed AS (SELECT account_id, held AS amount FROM old),
{free}
UPDATE billing_hold h SET status = 'released', resolved_at = %(now)s
  FROM account WHERE h.account_id = %(account)s AND h.id = %(hold)s
RETURNING h.id
""",
    unresolved=UNRESOLVED,
    free=balances.FREE,
)

# The first usage that names a hold captures it; all usage that names a lease draws from it. A hold that is resolved or
# has expired doesn't change here, and its usage is ordinary usage.
CAPTURE_BY_USAGE = """
WITH used AS (SELECT * FROM unnest(%(accounts)s::uuid[], %(holds)s::uuid[], %(credits)s::numeric[])
                         AS used(account_id, id, credits)),
hold AS (
    UPDATE billing_hold h
       SET captured = old.captured + used.credits,
           status = CASE old.purpose WHEN 'lease' THEN old.status ELSE 'captured' END,
           resolved_at = CASE old.purpose WHEN 'lease' THEN old.resolved_at ELSE %(now)s END
      FROM used JOIN billing_hold old ON old.account_id = used.account_id AND old.id = used.id
     WHERE h.account_id = old.account_id AND h.id = old.id AND old.status = 'open' {routed}
    RETURNING h.account_id, CASE old.purpose WHEN 'lease' THEN least(greatest(old.amount - old.captured, 0),
                                                                     used.credits)
                                             ELSE old.amount END AS freed),
freed AS (SELECT account_id, sum(freed) AS amount FROM hold GROUP BY account_id),
{free}
SELECT FROM account
"""
ROUTED = "AND h.account_id = %(account)s AND old.account_id = %(account)s"
CAPTURE_OF_SEVERAL = sql.compose(CAPTURE_BY_USAGE, free=sql.compose(balances.FREE_OF_SEVERAL, routed=""), routed="")
CAPTURE_OF_ONE = sql.compose(CAPTURE_BY_USAGE, free=balances.FREE, routed=ROUTED)


class PlatformsHold(Forbidden):
    """The company's platform placed the hold, so the customer who pays for it can't capture or release it."""

    code = "platforms_hold"
    detail = "This hold was placed by the platform, which captures or releases it."


class HoldResolved(Conflict):
    """A hold is captured or released once."""

    code = "hold_resolved"

    def __init__(self, hold: Hold) -> None:
        super().__init__(f"The hold is {hold.status} already.", status_of_hold=hold.status)


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What to reserve, for whom, and until when. A lease has a `minimum`, and may be spent until `spend_until`.

    `by_platform`: the company's platform placed it, so customers can't resolve it.
    """

    organization: Organization
    amount: Decimal
    minimum: Decimal | None = None
    key: ApiKey | None = None
    purpose: Hold.Purpose = Hold.Purpose.HOLD
    reference: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    by_platform: bool = False
    spend_until: datetime | None = None
    expires_at: datetime


def place(
    organization: Organization,
    *,
    amount: Decimal,
    ttl: timedelta,
    now: datetime,
    key: ApiKey | None = None,
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    by_platform: bool = False,
) -> Hold:
    """Reserve `amount` for `ttl`. `BudgetExceeded` and `NotEnoughCredits` refuse it, and nothing has changed."""
    reservation = Reservation(
        organization=organization,
        amount=amount,
        key=key,
        reference=reference,
        metadata=metadata or {},
        by_platform=by_platform,
        expires_at=now + ttl,
    )
    return reserve(reservation, now)


@transaction.atomic
def reserve(reservation: Reservation, now: datetime) -> Hold:
    """Reserve what is available, up to the amount, if that is at least the minimum; without one, all of the amount."""
    organization, key, amount = reservation.organization, reservation.key, reservation.amount
    payer = organization.root_id
    month = posting.lock([payer], now)[payer].zone.month_of(now)
    parameters = {
        "id": uuid7(),
        "account": payer,
        "organization": organization.pk,
        "key": key.pk if key else None,
        "purpose": reservation.purpose.value,
        "amount": budgets.admit(organization, key, amount, month=month, now=now, minimum=reservation.minimum),
        "minimum": amount if reservation.minimum is None else reservation.minimum,
        "reference": reservation.reference,
        "metadata": jsonb.parameter(reservation.metadata),
        "now": now,
        "by_platform": reservation.by_platform,
        "spend_until": reservation.spend_until,
        "expires_at": reservation.expires_at,
    }
    placed = place_apart(parameters) if distribution.is_distributed() else sql.rows(PLACE, parameters)
    if not placed:
        raise NotEnoughCredits(posting.available(payer, now))
    return load(payer, placed[0][0])


def place_apart(parameters: sql.Parameters) -> list[tuple[Any, ...]]:
    """`PLACE` for distributed tables: the hold and what is available after it, or no row."""
    sql.require_transaction()
    reserved = sql.rows(RESERVED, parameters)
    return [(*sql.rows(HOLD, {**parameters, "granted": granted})[0], left) for granted, left in reserved]


@transaction.atomic
def capture(hold: Hold, amount: Decimal | None = None, *, now: datetime, actor: str = "") -> Hold:
    """Debit `amount`, all that is still held unless given, and free the hold; `HoldResolved` the second time."""
    if amount is not None:
        balances.check_decimals(amount)
    zone = posting.lock([hold.account_id], now)[hold.account_id].zone
    entry = Entry(
        kind=posting.Kind.CAPTURE,
        description="Hold captured",
        reference=hold.reference or hold.public_id,
        actor=actor,
    )
    parameters = {**entry.parameters(hold.account_id, now), "hold": hold.pk, "amount": amount}
    captured = _capture_apart(parameters) if distribution.is_distributed() else balances.run(CAPTURE, parameters)
    hold = load(hold.account_id, hold.pk)  # its organization may have moved before the lock
    if not captured:
        raise HoldResolved(hold)
    [(taken, captured_at)] = captured
    if taken > ZERO:
        budgets.count(hold, taken, month=zone.month_of(captured_at), now=now)
    return hold


def _capture_apart(parameters: sql.Parameters) -> list[tuple[Any, ...]]:
    moved = balances.run(MOVED, parameters)
    for row in moved:
        _, seq, amount, *_ = row
        if amount:
            balances.write_entry(row, parameters)
        sql.rows(CAPTURED_ALONE, {**parameters, "seq": seq, "moved": amount})
    return [(-amount, updated_at) for _, _, amount, _, updated_at in moved]


@transaction.atomic
def release(hold: Hold, *, now: datetime) -> Hold:
    """Free what is still held, and take no more from it; `HoldResolved` the second time."""
    posting.lock([hold.account_id], now)
    released = sql.rows(RELEASE, {"account": hold.account_id, "hold": hold.pk, "now": now})
    hold = load(hold.account_id, hold.pk)
    if not released:
        raise HoldResolved(hold)
    return hold


def capture_by_usage(credits: Mapping[tuple[UUID, UUID], Decimal], now: datetime) -> None:
    """Free what usage took from the holds that it named: credits by payer and hold. The payers are locked, and the
    usage itself is what debits them."""
    sql.require_transaction()
    if not credits:
        return
    if not distribution.is_distributed():
        sql.rows(CAPTURE_OF_SEVERAL, _columns(credits, now))
        return
    for account in sorted({account for account, _ in credits}):
        drawn = {(payer, hold): amount for (payer, hold), amount in credits.items() if payer == account}
        sql.rows(CAPTURE_OF_ONE, {**_columns(drawn, now), "account": account})


def _columns(credits: Mapping[tuple[UUID, UUID], Decimal], now: datetime) -> dict[str, Any]:
    accounts, holds = zip(*credits, strict=True)
    return {"accounts": list(accounts), "holds": list(holds), "credits": list(credits.values()), "now": now}


def load(account: UUID, pk: UUID) -> Hold:
    """A hold of the payer as it stands now, with its organization and key."""
    return Hold.objects.select_related("organization", "key").get(account_id=account, pk=pk)
