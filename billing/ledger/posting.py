"""Posting: the lock that every money path begins with, and the verbs that move credits of one account.

`debit` admits: it is refused when it exceeds what is available. `post` settles what has happened, and is never refused.
Whoever locks an account brings it up to date: holds and lots that fell due expire before anything else happens.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.db import transaction

from accounts.lib import distribution, sql
from billing.exceptions import NotEnoughCredits, PostingConflict
from billing.ledger import alerts, balances, billing_zone, expiry, lots
from billing.ledger.balances import Entry, Locked, Posting
from billing.ledger.lots import Lot
from billing.models import Grant, LedgerAccount, LedgerEntry

Kind = LedgerEntry.Kind

LAZY = frozenset({Kind.USAGE, Kind.CAPTURE})  # what they burn is allotted to the lots later
PROMOTIONAL = Lot(Grant.Category.PROMOTIONAL)

STATE = """
SELECT organization_id, seq, due_at, closed_through, zones,
       (SELECT timezone FROM accounts_organization WHERE id = organization_id), closed_at IS NOT NULL
  FROM billing_ledgeraccount
"""
NUMBER = "SELECT count(*) FROM billing_ledgeraccount WHERE organization_id = ANY(%(accounts)s::uuid[])"

# This is a separate statement, so that the next one sees what was committed while this one waited. If an account is
# missing, it locks none of them: opening accounts may wait for others that do the same, and we could deadlock if we
# held a lock meanwhile.
LOCK = sql.compose(
    """
{state} WHERE organization_id = ANY(%(accounts)s::uuid[]) AND ({number}) = %(count)s
 ORDER BY organization_id FOR NO KEY UPDATE
""",
    state=STATE,
    number=NUMBER,
)
IS_OPEN = "SELECT FROM billing_ledgeraccount WHERE organization_id = %(account)s"
LOCK_ONE = sql.compose("{state} WHERE organization_id = %(account)s FOR NO KEY UPDATE", state=STATE)


class Details(TypedDict, total=False):
    """Optional details of an entry. With an `idempotency_key` it is posted once; a repetition returns the first one."""

    description: str
    reference: str
    metadata: Mapping[str, Any] | None
    idempotency_key: str | None
    reverses_seq: int | None
    actor: str


def lock(accounts: Iterable[UUID], now: datetime) -> dict[UUID, Locked]:
    """Lock the payers, in id order, to the end of the caller's transaction, and bring them up to date with `now`.

    A payer without an account gets one, at zero. Without a transaction the lock would be gone at once: that raises
    `TransactionManagementError`.
    """
    sql.require_transaction()
    payers = sorted(set(accounts))
    locked = _lock(payers, now)
    if len(locked) < len(payers):
        balances.open_accounts(payers, now)
        locked = _lock(payers, now)
    return locked


def _lock(payers: list[UUID], now: datetime) -> dict[UUID, Locked]:
    locked = _locked(_lock_rows(payers))
    due = [account for account, state in locked.items() if state.due_at and state.due_at <= now]
    for account in due:
        _expire(account, now)
    return _locked(_lock_rows(payers)) if due else locked


def _lock_rows(payers: list[UUID]) -> Iterable[tuple[Any, ...]]:
    """The rows of the accounts, locked, or none if one is missing."""
    if not distribution.is_distributed():
        return sql.rows(LOCK, {"accounts": sql.array(payers), "count": len(payers)})
    if len(payers) > 1 and not all(sql.rows(IS_OPEN, {"account": payer}) for payer in payers):
        return ()
    return [row for payer in payers for row in sql.rows(LOCK_ONE, {"account": payer})]


def _locked(rows: Iterable[tuple[Any, ...]]) -> dict[UUID, Locked]:
    return {
        account: Locked(seq, due_at, closed_through, billing_zone.parse(timezone, zones), is_closed)
        for account, seq, due_at, closed_through, zones, timezone, is_closed in rows
    }


def _expire(account: UUID, now: datetime) -> None:
    """Expire the holds and lots that are due, and post what is left of the lots."""
    expiry.expire_holds(account, now)
    lots.allot(account)
    expired = lots.expire(account, now)
    for lot in expired:
        entry = Entry(kind=Kind.EXPIRY, description="Credits expired", reference=lot.reference)
        balances.write(account, -lot.amount, entry, now, up_to_date=True)
    expiry.reschedule(account)
    if expired:
        alerts.check([account], now)


def post(
    account: UUID,
    *,
    kind: Kind,
    amount: Decimal,
    now: datetime,
    lot: Lot | None = None,
    own_lot: int | None = None,
    **details: Unpack[Details],
) -> Posting:
    """Post one entry of a signed `amount`, whatever the balance.

    An entry that raises the balance has a `lot`. An entry that takes back an earlier one burns that one's lot first,
    and names its seq as `own_lot`.
    """
    entry = Entry(kind=kind, **details)
    posting = _write_lazily(account, amount, entry, now, guarded=False)
    posting = posting or _post(account, amount, entry, now, lot, own_lot)
    assert posting is not None
    return posting


def debit(account: UUID, *, kind: Kind, amount: Decimal, now: datetime, **details: Unpack[Details]) -> Posting:
    """Take a positive `amount` if it is available; `NotEnoughCredits` otherwise, and nothing has changed."""
    entry = Entry(kind=kind, **details)
    posting = _write_lazily(account, -amount, entry, now, guarded=True)
    posting = posting or _post(account, -amount, entry, now, guarded=True)
    if posting is None:
        raise NotEnoughCredits(available(account, now))
    return posting


def _write_lazily(account: UUID, amount: Decimal, entry: Entry, now: datetime, *, guarded: bool) -> Posting | None:
    """Write an entry that only lowers the balance, in one statement and without a lock before it.

    None if it has to be posted under the lock: because of its kind or its idempotency key, or because it was refused or
    something is due.
    """
    if entry.kind not in LAZY or entry.idempotency_key is not None:
        return None
    return balances.write(account, amount, entry, now, guarded=guarded)


@transaction.atomic
def _post(
    account: UUID,
    amount: Decimal,
    entry: Entry,
    now: datetime,
    lot: Lot | None = None,
    own_lot: int | None = None,
    *,
    guarded: bool = False,
) -> Posting | None:
    """Post an entry under the lock and update the lots accordingly. None if the guard refuses it."""
    locked = _lock([account], now) if guarded else lock([account], now)
    if first := _first_posting(account, amount, entry):
        return first
    if entry.kind not in LAZY:
        _allot_earlier_usage(account)
    posting = balances.write(account, amount, entry, now, guarded=guarded, up_to_date=True) if locked else None
    if posting and entry.kind not in LAZY:
        if amount > 0:
            lots.add(posting, lot or (PROMOTIONAL if entry.kind == Kind.GRANT else Lot()), amount=amount, now=now)
        else:
            _burn(account, -amount, own_lot)
        expiry.reschedule(account)
        alerts.check([account], now)
    return posting


def _allot_earlier_usage(account: UUID) -> None:
    """Allot earlier usage to the lots before the entry is posted, so it can't burn a lot that the entry brings."""
    lots.allot(account)


def _burn(account: UUID, amount: Decimal, own_lot: int | None) -> None:
    """Burn from the lots what an entry took, from its own lot first."""
    if own_lot:
        lots.take(account, own_lot, amount)
    lots.allot(account)


def _first_posting(account: UUID, amount: Decimal, entry: Entry) -> Posting | None:
    """The posting of an earlier entry with the same idempotency key; `PostingConflict` if that was another movement."""
    if entry.idempotency_key is None:
        return None
    first = LedgerEntry.objects.filter(account_id=account, idempotency_key=entry.idempotency_key).first()
    if first is None:
        return None
    if (first.kind, first.amount) != (entry.kind, amount):
        raise PostingConflict
    return Posting(first.account_id, first.seq, first.balance_after)


def current(account: UUID, now: datetime) -> LedgerAccount | None:
    """The account, brought up to date; None if it has no entries yet."""
    state = LedgerAccount.objects.filter(pk=account).first()
    if state is None or state.due_at is None or state.due_at > now:
        return state
    with transaction.atomic():
        lock([account], now)
    return LedgerAccount.objects.get(pk=account)


def bring_up_to_date(account: UUID, now: datetime) -> None:
    """Expire what is due and allot what was spent. The lots then add up to max(balance, 0)."""
    with transaction.atomic():
        if _lock([account], now):
            lots.allot(account)


def available(account: UUID, now: datetime) -> Decimal:
    """What may be spent; zero if the account has no entries yet."""
    state = current(account, now)
    return state.available if state else Decimal(0)
