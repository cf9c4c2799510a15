"""The only writer of balances. An entry and the balance that it leaves are one statement, decided in the database.

`debit` admits: it is refused when it exceeds what is available. `post` and `post_usage` settle what has happened, and
are never refused. Every path that touches several accounts, or needs more than one statement, begins with `lock`, which
also settles what fell due: overdue holds, and lots of credits past their expiry.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import DataError, transaction
from django.utils import timezone
from psycopg.errors import NumericValueOutOfRange

from accounts.lib import jsonb, sql
from accounts.lib.identifiers import uuid7
from accounts.lib.money import PLACES, rounded
from billing.exceptions import BalanceOutOfRange, NotEnoughCredits, PostingConflict
from billing.ledger import alerts, expiry, lots
from billing.ledger.lots import Lot
from billing.models import Grant, LedgerAccount, LedgerEntry

Kind = LedgerEntry.Kind

LAZY = frozenset({Kind.USAGE, Kind.CAPTURE})  # what they burn is allotted later
PROMOTIONAL = Lot(Grant.Category.PROMOTIONAL)

OPEN = """
INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at)
SELECT id, 0, 0, 0, 0, %(now)s FROM unnest(%(accounts)s::uuid[]) AS id ORDER BY id
ON CONFLICT DO NOTHING
"""

# A statement of its own: the next one then sees what was committed while this one waited. It locks all or, where one is
# missing, none: who then opens accounts waits for others that do while he holds no lock.
LOCK = """
SELECT organization_id, seq, due_at, closed_through FROM billing_ledgeraccount
 WHERE organization_id = ANY(%(accounts)s::uuid[])
   AND (SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY(%(accounts)s::uuid[])) = %(count)s
 ORDER BY organization_id FOR NO KEY UPDATE
"""

POST = """
WITH account AS (
    UPDATE billing_ledgeraccount
       SET balance = balance + %(amount)s, seq = seq + 1, updated_at = %(now)s
     WHERE organization_id = %(account)s AND (%(settled)s OR due_at IS NULL OR due_at > %(now)s)
       AND (NOT %(guarded)s OR balance - reserved + credit_limit + %(amount)s >= 0)
    RETURNING organization_id, seq, balance)
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)
SELECT %(id)s, organization_id, seq, %(kind)s, %(amount)s, balance, %(description)s, %(reference)s,
       %(metadata)s::jsonb, %(idempotency_key)s, %(reverses_seq)s::bigint, %(actor)s, %(now)s
  FROM account
RETURNING account_id, seq, balance_after
"""

POST_USAGE = """
WITH debit AS (SELECT * FROM unnest(%(ids)s::uuid[], %(accounts)s::uuid[], %(amounts)s::numeric[])
                        AS debit(id, account_id, amount)),
account AS (
    UPDATE billing_ledgeraccount a
       SET balance = a.balance - debit.amount, seq = a.seq + 1, updated_at = %(now)s
      FROM debit WHERE a.organization_id = debit.account_id
    RETURNING debit.id, a.organization_id, a.seq, a.balance, debit.amount)
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 created_at)
SELECT id, organization_id, seq, 'usage', -amount, balance, 'Usage', '', '{}', %(now)s FROM account
RETURNING account_id, seq, balance_after
"""


@dataclass(frozen=True)
class Locked:
    """An account as it stands under the lock, with nothing due. `closed_through`: the mark of its last close."""

    seq: int
    due_at: datetime | None = None
    closed_through: datetime | None = None


@dataclass(frozen=True)
class Posting:
    """An entry's place in its account, and the balance that it left."""

    account_id: UUID
    seq: int
    balance_after: Decimal


def open_accounts(accounts: Iterable[UUID]) -> None:
    """Give those payers an account, at zero, that have none."""
    sql.rows(OPEN, {"accounts": sorted(set(accounts)), "now": timezone.now()})


def lock(accounts: Iterable[UUID], now: datetime | None = None) -> dict[UUID, Locked]:
    """Lock the payers in id order, to the end of the transaction, and settle what fell due by `now`.

    A payer without an account yet gets it, at zero.
    """
    wanted, now = sorted(set(accounts)), now or timezone.now()
    locked = _lock(wanted, now)
    if len(locked) < len(wanted):
        open_accounts(wanted)
        locked = _lock(wanted, now)
    return locked


def _lock(accounts: list[UUID], now: datetime) -> dict[UUID, Locked]:
    parameters = {"accounts": accounts, "count": len(accounts)}
    locked = {account: Locked(*about) for account, *about in sql.rows(LOCK, parameters)}
    unsettled = [account for account, one in locked.items() if one.due_at and one.due_at <= now]
    for account in unsettled:
        _settle(account, now)
    return {account: Locked(*about) for account, *about in sql.rows(LOCK, parameters)} if unsettled else locked


def _settle(account: UUID, now: datetime) -> None:
    expiry.expire_holds(account, now)
    lots.allot(account)
    expired = lots.expire(account, now)
    for lot in expired:
        about: dict[str, Any] = {"description": "Credits expired", "reference": lot.reference}
        _write(account, kind=Kind.EXPIRY, amount=-lot.amount, now=now, settled=True, **about)
    expiry.reschedule(account)
    if expired:
        alerts.check([account], now)


def post(account: UUID, *, kind: Kind, amount: Decimal, **about: Any) -> Posting:
    """Post one entry of a signed `amount`, whatever the balance.

    `about`: `description`, `reference`, `metadata`, `actor`, `reverses_seq`, and `idempotency_key`, with which the
    entry is posted once and a repetition returns the first one. What raises the balance brings a `lot`; what takes
    back what an entry brought burns that entry's first, and names it as `own_lot`.
    """
    posting = _post(account, kind=kind, amount=amount, guarded=False, **about)
    assert posting is not None
    return posting


def debit(account: UUID, *, kind: Kind, amount: Decimal, **about: Any) -> Posting:
    """Take a positive `amount` if it is available; `NotEnoughCredits` otherwise, and nothing has changed."""
    posting = _post(account, kind=kind, amount=-amount, guarded=True, **about)
    if posting is None:
        raise NotEnoughCredits(available(account))
    return posting


def current(account: UUID) -> LedgerAccount | None:
    """The account as it stands now, after what fell due was settled; None where nothing has moved yet."""
    mine = LedgerAccount.objects.filter(pk=account).first()
    now = timezone.now()
    if mine is None or mine.due_at is None or mine.due_at > now:
        return mine
    with transaction.atomic():
        lock([account], now)
    return LedgerAccount.objects.get(pk=account)


def settle(account: UUID) -> None:
    """Settle what fell due, and allot what was spent: the lots then add up to max(balance, 0)."""
    with transaction.atomic():
        if _lock([account], timezone.now()):
            lots.allot(account)


def available(account: UUID) -> Decimal:
    """What may be spent; zero where nothing has moved yet."""
    mine = current(account)
    return mine.available if mine else Decimal(0)


def _post(
    account: UUID,
    *,
    kind: Kind,
    amount: Decimal,
    guarded: bool,
    idempotency_key: str | None = None,
    lot: Lot | None = None,
    own_lot: int | None = None,
    **about: Any,
) -> Posting | None:
    now = timezone.now()
    if kind in LAZY and idempotency_key is None:
        posting = _write(account, kind=kind, amount=amount, now=now, guarded=guarded, **about)
        if posting:
            return posting
    with transaction.atomic():
        locked = _lock([account], now) if guarded else lock([account], now)
        if idempotency_key and (first := _first_posting(account, kind, amount, idempotency_key)):
            return first
        if kind not in LAZY:
            lots.allot(account)
        entry = {"kind": kind, "amount": amount, "idempotency_key": idempotency_key, **about}
        posting = _write(account, now=now, guarded=guarded, settled=True, **entry) if locked else None
        if posting and kind not in LAZY:
            _follow(posting, kind, amount, lot, own_lot, now)
        return posting


def _follow(posting: Posting, kind: Kind, amount: Decimal, lot: Lot | None, own_lot: int | None, now: datetime) -> None:
    """What the entry means for the lots: one more, or so much less, of its own first."""
    account, seq = posting.account_id, posting.seq
    if amount > 0:
        brought = lot or (PROMOTIONAL if kind == Kind.GRANT else Lot())
        lots.add(account, brought, seq=seq, amount=amount, balance_after=posting.balance_after, now=now)
    else:
        if own_lot:
            lots.take(account, own_lot, -amount)
        lots.allot(account)
    expiry.reschedule(account)
    alerts.check([account], now)


def _write(
    account: UUID,
    *,
    kind: Kind,
    amount: Decimal,
    now: datetime,
    guarded: bool = False,
    settled: bool = False,
    description: str = "",
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
    reverses_seq: int | None = None,
    actor: str = "",
) -> Posting | None:
    """One entry in one statement: None where its guard refuses it, or where something fell due and is not settled."""
    if amount != rounded(amount):  # the database would round the entry and the balance each for itself
        raise ValueError(f"{amount} has more than {PLACES} decimals")
    parameters = {
        "id": uuid7(),
        "account": account,
        "kind": kind.value,
        "amount": amount,
        "now": now,
        "guarded": guarded,
        "settled": settled,
        "description": description,
        "reference": reference,
        "metadata": jsonb.parameter(metadata) if metadata else "{}",
        "idempotency_key": idempotency_key,
        "reverses_seq": reverses_seq,
        "actor": actor,
    }
    written = _posted(POST, parameters)
    return Posting(*written[0]) if written else None


def _first_posting(account: UUID, kind: Kind, amount: Decimal, idempotency_key: str) -> Posting | None:
    entry = LedgerEntry.objects.filter(account_id=account, idempotency_key=idempotency_key).first()
    if entry is None:
        return None
    if (entry.kind, entry.amount) != (kind, amount):
        raise PostingConflict
    return Posting(entry.account_id, entry.seq, entry.balance_after)


def post_capture(account: UUID, amount: Decimal, now: datetime, **about: Any) -> Posting:
    """Debit what a hold was captured for, under the lock. Nothing is settled in between: a lot that was kept for the
    hold is burnt by the capture before what is left of it expires."""
    posting = _write(account, kind=Kind.CAPTURE, amount=-amount, now=now, settled=True, **about)
    assert posting is not None
    return posting


def post_usage(amounts: Mapping[UUID, Decimal], now: datetime) -> list[Posting]:
    """Debit several payers, one usage entry each. They are locked already; amounts are positive."""
    parameters = {
        "ids": [uuid7() for _ in amounts],
        "accounts": list(amounts),
        "amounts": list(amounts.values()),
        "now": now,
    }
    return [Posting(*row) for row in _posted(POST_USAGE, parameters)]


def _posted(statement: str, parameters: sql.Parameters) -> list[tuple[Any, ...]]:
    try:
        return sql.rows(statement, parameters)
    except DataError as error:
        if isinstance(error.__cause__, NumericValueOutOfRange):
            raise BalanceOutOfRange from error
        raise
