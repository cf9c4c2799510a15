"""The only writer of balances. An entry and the balance that it leaves are one statement, decided in the database.

`debit` admits: it is refused when it exceeds what is available. `post` and `post_usage` settle what has happened, and
are never refused. Every path that touches several accounts, or needs more than one statement, begins with `lock`.
"""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, connection, transaction
from django.db.backends.utils import CursorWrapper
from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts.identifiers import uuid7
from billing.exceptions import NotEnoughCredits, PostingConflict
from billing.models import LedgerAccount, LedgerEntry
from billing.money import PLACES, fits

Kind = LedgerEntry.Kind

OPEN = """
INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at)
SELECT id, 0, 0, 0, 0, %(now)s FROM unnest(%(accounts)s::uuid[]) AS id ORDER BY id
ON CONFLICT DO NOTHING
"""

# A statement of its own: the next one then sees what was committed while this one waited.
LOCK = """
SELECT organization_id, seq, balance FROM billing_ledgeraccount
 WHERE organization_id = ANY(%(accounts)s) ORDER BY organization_id FOR NO KEY UPDATE
"""

POST = """
WITH account AS (
    UPDATE billing_ledgeraccount
       SET balance = balance + %(amount)s, seq = seq + 1, updated_at = %(now)s
     WHERE organization_id = %(account)s AND (NOT %(guarded)s OR balance - reserved + credit_limit + %(amount)s >= 0)
    RETURNING organization_id, seq, balance)
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, created_at)
SELECT %(id)s, organization_id, seq, %(kind)s, %(amount)s, balance, %(description)s, %(reference)s, %(metadata)s,
       %(idempotency_key)s, %(now)s
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
    """An account as it stands under the lock."""

    seq: int
    balance: Decimal


@dataclass(frozen=True)
class Posting:
    """An entry's place in its account, and the balance that it left."""

    account_id: UUID
    seq: int
    balance_after: Decimal


def lock(accounts: Iterable[UUID]) -> dict[UUID, Locked]:
    """Lock the payers in id order, to the end of the transaction; one without an account yet gets it, at zero."""
    wanted = sorted(set(accounts))
    with connection.cursor() as cursor:
        locked = _lock(cursor, wanted)
        if len(locked) < len(wanted):
            cursor.execute(OPEN, {"accounts": wanted, "now": timezone.now()})
            locked = _lock(cursor, wanted)
    return locked


def _lock(cursor: CursorWrapper, accounts: list[UUID]) -> dict[UUID, Locked]:
    cursor.execute(LOCK, {"accounts": accounts})
    return {account: Locked(seq, balance) for account, seq, balance in cursor.fetchall()}


def post(account: UUID, *, kind: Kind, amount: Decimal, **about: Any) -> Posting:
    """Post one entry of a signed `amount`, whatever the balance.

    `about`: `description`, `reference`, `metadata`, and `idempotency_key`, with which the entry is posted once and a
    repetition returns the first one.
    """
    posting = _post(account, kind=kind, amount=amount, guarded=False, **about)
    if posting is None:  # the account's first movement
        with connection.cursor() as cursor:
            cursor.execute(OPEN, {"accounts": [account], "now": timezone.now()})
        posting = _post(account, kind=kind, amount=amount, guarded=False, **about)
    assert posting is not None
    return posting


def debit(account: UUID, *, kind: Kind, amount: Decimal, **about: Any) -> Posting:
    """Take a positive `amount` if it is available; `NotEnoughCredits` otherwise, and nothing has changed."""
    posting = _post(account, kind=kind, amount=-amount, guarded=True, **about)
    if posting is None:
        raise NotEnoughCredits(available(account))
    return posting


def available(account: UUID) -> Decimal:
    """What may be spent; zero where nothing has moved yet."""
    mine = LedgerAccount.objects.filter(pk=account).first()
    return mine.available if mine else Decimal(0)


def _post(
    account: UUID,
    *,
    kind: Kind,
    amount: Decimal,
    guarded: bool,
    description: str = "",
    reference: str = "",
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Posting | None:
    if not fits(amount):  # the database would round the entry and the balance each for itself
        raise ValueError(f"{amount} has more than {PLACES} decimals")
    parameters: dict[str, Any] = {
        "id": uuid7(),
        "account": account,
        "kind": kind.value,
        "amount": amount,
        "guarded": guarded,
        "description": description,
        "reference": reference,
        "metadata": Jsonb(metadata or {}),
        "idempotency_key": idempotency_key,
        "now": timezone.now(),
    }
    try:
        with _savepoint(idempotency_key), connection.cursor() as cursor:
            cursor.execute(POST, parameters)
            row = cursor.fetchone()
    except IntegrityError as error:
        if "ledger_entry_idempotency_key" not in str(error):
            raise
        row = None
    if row:
        return Posting(*row)
    return _first_posting(account, kind, amount, idempotency_key) if idempotency_key else None


def _savepoint(idempotency_key: str | None) -> AbstractContextManager[Any]:
    """What a repeated key needs inside a transaction; a statement on its own is its own transaction, in one trip."""
    return transaction.atomic() if idempotency_key and connection.in_atomic_block else nullcontext()


def _first_posting(account: UUID, kind: Kind, amount: Decimal, idempotency_key: str) -> Posting | None:
    entry = LedgerEntry.objects.filter(account_id=account, idempotency_key=idempotency_key).first()
    if entry is None:
        return None
    if (entry.kind, entry.amount) != (kind, amount):
        raise PostingConflict
    return Posting(entry.account_id, entry.seq, entry.balance_after)


def post_usage(amounts: Mapping[UUID, Decimal], now: datetime) -> list[Posting]:
    """Debit several payers, one usage entry each. They are locked already; amounts are positive."""
    parameters: dict[str, Any] = {
        "ids": [uuid7() for _ in amounts],
        "accounts": list(amounts),
        "amounts": list(amounts.values()),
        "now": now,
    }
    with connection.cursor() as cursor:
        cursor.execute(POST_USAGE, parameters)
        return [Posting(*row) for row in cursor.fetchall()]
