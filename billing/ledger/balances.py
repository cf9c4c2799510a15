"""The only module that writes an account's `balance`, `reserved` and `seq`. No other code changes them or predicts the
next seq.

An entry and the balance that it leaves are written by one statement, so they can't disagree. Statements of other
modules that change a balance are composed of the parts here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import DataError, transaction
from psycopg.errors import NumericValueOutOfRange
from psycopg.sql import Literal

from accounts.lib import broker, distribution, jsonb, sql
from accounts.lib.identifiers import uuid7
from accounts.lib.money import PLACES, rounded
from billing.exceptions import BalanceOutOfRange
from billing.ledger.billing_zone import BillingZone
from billing.models import LedgerEntry

Kind = LedgerEntry.Kind

USAGE = "Usage"  # the description of entries for usage
RECHARGE = "billing.tasks.recharge_account"

AVAILABLE = "a.balance - a.reserved + a.credit_limit"

# The account's clock. `created_at` of an entry is read from it, so that it never decreases with `seq`. Without it there
# would be a race: a writer that waited for the row may have taken its `now` before the entry that it waited for.
TICK = "updated_at = greatest(a.updated_at, %(now)s)"

OPEN = """
INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at)
SELECT id, 0, 0, 0, 0, %(now)s FROM unnest(%(accounts)s::uuid[]) AS id ORDER BY id
ON CONFLICT (organization_id) DO NOTHING
"""

# Reserves what each row of `room` (account_id, granted, …) grants, where {admitted} holds for the account. Those who
# use it give `expires_at`, the moment at which the reservation falls due.
RESERVE = sql.compose(
    """
account AS (
    UPDATE billing_ledgeraccount a
       SET reserved = a.reserved + room.granted, due_at = least(a.due_at, %(expires_at)s), {tick}
      FROM room WHERE a.organization_id = room.account_id AND {{admitted}}
    RETURNING room.*, {available} AS available)""",
    tick=TICK,
    available=AVAILABLE,
)

# Frees the reservations in `freed` (account_id, amount).
FREE_OF_SEVERAL = sql.compose(
    """
account AS (
    UPDATE billing_ledgeraccount a SET reserved = a.reserved - freed.amount, {tick}
      FROM freed WHERE a.organization_id = freed.account_id {{routed}}
    RETURNING a.organization_id)""",
    tick=TICK,
)

# The same of one account. Citus needs it as one value (see `accounts.lib.distribution`).
FREE = sql.compose(FREE_OF_SEVERAL, routed="AND a.organization_id = %(account)s")

# Changes the balance of an account by the `amount` of the row of `movement` (account_id, amount, freed, …), and frees
# what was reserved for it. A movement of zero takes no seq.
MOVE = sql.compose(
    """
account AS (
    UPDATE billing_ledgeraccount a
       SET balance = a.balance + movement.amount, reserved = a.reserved - movement.freed,
           seq = a.seq + (movement.amount <> 0)::int, {tick}
      FROM movement WHERE a.organization_id = movement.account_id AND a.organization_id = %(account)s
    RETURNING movement.*, a.seq, a.balance, a.updated_at)""",
    tick=TICK,
)

ENTRY_COLUMNS = """
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 idempotency_key, reverses_seq, actor, created_at)"""

# Writes the entry of the account that was {{moved}}: one row (account_id, seq, amount, balance, updated_at).
ENTRY = sql.compose(
    """
{columns}
SELECT %(id)s, account_id, seq, %(kind)s, amount, balance, %(description)s, %(reference)s, %(metadata)s::jsonb,
       %(idempotency_key)s, %(reverses_seq)s::bigint, %(actor)s, updated_at
  FROM {{moved}}
RETURNING account_id, seq, balance_after""",
    columns=ENTRY_COLUMNS,
)

# The same entry, with that row as parameters.
ENTRY_ALONE = sql.compose(
    """
{columns}
VALUES (%(id)s, %(account)s, %(seq)s, %(kind)s, %(moved)s, %(balance)s, %(description)s, %(reference)s,
        %(metadata)s::jsonb, %(idempotency_key)s, %(reverses_seq)s::bigint, %(actor)s, %(updated_at)s)
RETURNING account_id, seq, balance_after""",
    columns=ENTRY_COLUMNS,
)

# Whether a movement of {{amount}} took the account below the threshold of its auto-recharge. Checked within the
# statement, so it costs nothing.
CROSSED = """
coalesce(a.balance - a.reserved < a.recharge_below AND a.balance - a.reserved - ({amount}) >= a.recharge_below, false)
"""

# One entry. The guard refuses an amount that isn't available. Overdue holds and lots must have expired first.
POSTED = sql.compose(
    """
UPDATE billing_ledgeraccount a SET balance = a.balance + %(amount)s, seq = a.seq + 1, {tick}
 WHERE a.organization_id = %(account)s AND (%(up_to_date)s OR a.due_at IS NULL OR a.due_at > %(now)s)
   AND (NOT %(guarded)s OR {available} + %(amount)s >= 0)
RETURNING a.organization_id AS account_id, a.seq, %(amount)s::numeric AS amount, a.balance, a.updated_at,
          {crossed} AS crossed""",
    tick=TICK,
    available=AVAILABLE,
    crossed=sql.compose(CROSSED, amount="%(amount)s"),
)
POST = sql.compose(
    "WITH account AS ({posted}), entry AS ({entry}) SELECT entry.*, account.crossed FROM entry, account",
    posted=POSTED,
    entry=sql.compose(ENTRY, moved="account"),
)

# One usage entry for each of several payers.
POST_USAGE = sql.compose(
    """
WITH debit AS (SELECT * FROM unnest(%(ids)s::uuid[], %(accounts)s::uuid[], %(amounts)s::numeric[])
                        AS debit(id, account_id, amount)),
account AS (
    UPDATE billing_ledgeraccount a SET balance = a.balance - debit.amount, seq = a.seq + 1, {tick}
      FROM debit WHERE a.organization_id = debit.account_id
    RETURNING debit.*, a.seq, a.balance, a.updated_at, {crossed} AS crossed),
entry AS (
    INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                     created_at)
    SELECT id, account_id, seq, 'usage', -amount, balance, {usage}, '', '{{}}', updated_at FROM account
    RETURNING account_id, seq, balance_after)
SELECT entry.*, account.crossed FROM entry JOIN account USING (account_id)
""",
    tick=TICK,
    crossed=sql.compose(CROSSED, amount="-debit.amount"),
    usage=Literal(USAGE),
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The fields of an entry, apart from its amount and the balance after it."""

    kind: Kind
    description: str = ""
    reference: str = ""
    metadata: Mapping[str, Any] | None = None
    idempotency_key: str | None = None
    reverses_seq: int | None = None
    actor: str = ""

    def parameters(self, account: UUID, now: datetime) -> dict[str, Any]:
        """The parameters of `ENTRY`."""
        return {
            "id": uuid7(),
            "account": account,
            "kind": self.kind.value,
            "description": self.description,
            "reference": self.reference,
            "metadata": jsonb.parameter(self.metadata) if self.metadata else "{}",
            "idempotency_key": self.idempotency_key,
            "reverses_seq": self.reverses_seq,
            "actor": self.actor,
            "now": now,
        }


@dataclass(frozen=True)
class Locked:
    """An account as it stands under its lock, with nothing due.

    `seq` is that of its last entry. A closed account takes no usage. Usage that occurred before `closed_through`
    belongs to a closed month. Months are those of `zone`.
    """

    seq: int
    due_at: datetime | None
    closed_through: datetime | None
    zone: BillingZone
    is_closed: bool = False


@dataclass(frozen=True)
class Posting:
    """An entry's place in its account, and the balance that it left."""

    account_id: UUID
    seq: int
    balance_after: Decimal


def check_decimals(amount: Decimal) -> None:
    """`ValueError` for an amount that the database would have to round, in the entry and in the balance separately."""
    if amount != rounded(amount):
        raise ValueError(f"{amount} has more than {PLACES} decimals")


def open_accounts(accounts: Iterable[UUID], now: datetime) -> None:
    """Make an account with a zero balance for each payer that has none."""
    sql.rows(OPEN, {"accounts": sorted(set(accounts)), "now": now})


def write(
    account: UUID, amount: Decimal, entry: Entry, now: datetime, *, guarded: bool = False, up_to_date: bool = False
) -> Posting | None:
    """Write one entry of a signed `amount` in one statement; what raises the balance is positive.

    None if its guard refuses it, or if something fell due in the account and
    the caller has not brought it `up_to_date`.
    """
    check_decimals(amount)
    parameters = entry.parameters(account, now)
    parameters |= {"amount": amount, "guarded": guarded, "up_to_date": up_to_date}
    written = _posted(_post_apart(parameters) if distribution.is_distributed() else run(POST, parameters))
    return written[0] if written else None


@transaction.atomic(savepoint=False)
def _post_apart(parameters: sql.Parameters) -> list[tuple[UUID, int, Decimal, bool]]:
    """`POST` in two statements. Citus sends each of them whole to the payer's machine, but it would take apart an
    UPDATE that feeds an INSERT."""
    rows = run(POSTED, parameters)
    return [(*write_entry(row, parameters), crossed) for *row, crossed in rows]


def write_entry(moved: Sequence[Any], parameters: sql.Parameters) -> tuple[UUID, int, Decimal]:
    """Write the entry of an account that was moved by a statement before, in the same transaction.

    `moved` is its row (account_id, seq, amount, balance, updated_at).
    """
    sql.require_transaction()
    row = dict(zip(("account", "seq", "moved", "balance", "updated_at"), moved, strict=True))
    [(account, seq, balance)] = sql.rows(ENTRY_ALONE, {**parameters, **row})
    return account, seq, balance


def post_usage(amounts: Mapping[UUID, Decimal], now: datetime) -> list[Posting]:
    """Debit several payers, which are locked, with one usage entry each; amounts are positive."""
    sql.require_transaction()
    if distribution.is_distributed():
        entry = Entry(kind=Kind.USAGE, description=USAGE)
        posted = [write(account, -amount, entry, now, up_to_date=True) for account, amount in amounts.items()]
        return [posting for posting in posted if posting]
    columns = {"ids": [uuid7() for _ in amounts], "accounts": list(amounts), "amounts": list(amounts.values())}
    return _posted(run(POST_USAGE, {**columns, "now": now}))


def _posted(rows: Iterable[tuple[UUID, int, Decimal, bool]]) -> list[Posting]:
    """Start auto-recharge, after the commit, for the accounts that fell below its threshold."""
    postings = []
    for account, seq, balance_after, crossed in rows:
        postings.append(Posting(account, seq, balance_after))
        if crossed:
            broker.nudge(RECHARGE, str(account))
    return postings


def run(statement: str, parameters: sql.Parameters) -> list[tuple[Any, ...]]:
    """Run a statement that changes a balance; `BalanceOutOfRange` if that would be more than an account can have."""
    try:
        return sql.rows(statement, parameters)
    except DataError as error:
        if isinstance(error.__cause__, NumericValueOutOfRange):
            raise BalanceOutOfRange from error
        raise
