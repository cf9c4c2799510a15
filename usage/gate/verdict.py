"""The gate: may this key do this now, and what will it cost? The first reason against decides.

A call is judged by one statement, in one trip to the database. What takes more than that (something fell due, a budget,
a price in tiers) the statement leaves open, having done nothing; it is asked again with what was missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from django.db import transaction

from accounts import scopes
from accounts.lib.money import ZERO
from accounts.lib.months import month_of
from apikeys import key_permissions, peppers, rate_limits
from billing.ledger import posting
from usage.gate import query
from usage.gate.query import Call, Caller, Row, Terms

BATCH_LIMIT = 100
LONGEST_HOLD_SECONDS = 86_400
OPEN = frozenset({"DUE", "BUDGETED", "TIERED"})


class Code(StrEnum):
    """In the order in which they decide."""

    VALID = "VALID"
    NOT_FOUND = "NOT_FOUND"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    DISABLED = "DISABLED"
    IP_NOT_ALLOWED = "IP_NOT_ALLOWED"
    INSUFFICIENT_PERMISSIONS = "INSUFFICIENT_PERMISSIONS"
    ORGANIZATION_SUSPENDED = "ORGANIZATION_SUSPENDED"
    RATE_LIMITED = "RATE_LIMITED"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    INSUFFICIENT_CREDITS = "INSUFFICIENT_CREDITS"


WEIGHED = frozenset({Code.VALID, Code.BUDGET_EXCEEDED, Code.INSUFFICIENT_CREDITS})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`cost` is zero where no meter was named or it was not weighed; `available` is the payer's, after the hold.

    `permissions` are those that the key has now. `count` is of the key's own rate limit, if it has one and was counted.
    """

    code: Code
    key_id: str | None = None
    organization: str | None = None
    permissions: tuple[str, ...] = ()
    expires_at: datetime | None = None
    cost: Decimal = ZERO
    available: Decimal | None = None
    hold: str | None = None
    count: rate_limits.Count | None = None


def verify(call: Call, caller: Caller, now: datetime) -> Verdict | None:
    """The verdict about a customer's key; None where the caller is no platform key that may ask, and nothing was done.

    Nothing but the cost is held, and that only if the call is valid. `UnknownMeter` when there is no such.
    """
    row = _decide(call, caller, now, Terms())
    if row:
        peppers.redigest([caller.secret, call.key])
    return _verdict(row, now) if row else None


def _decide(call: Call, caller: Caller, now: datetime, terms: Terms) -> Row | None:
    row = query.ask(call, caller, now, terms)
    if row is None or row.code not in OPEN:
        return row
    if row.code != "DUE":
        return _decide(call, caller, now, _learnt(terms, call, row, now))
    with transaction.atomic():
        posting.lock([row.payer], now)
        return _decide(call, caller, now, replace(terms, settled=True))


def _learnt(terms: Terms, call: Call, row: Row, now: datetime) -> Terms:
    """What was missing: the month in which budgets count, or what the call costs where that takes tiers."""
    month = month_of(now, row.timezone)
    if row.code == "BUDGETED":
        return replace(terms, month=month)
    return replace(terms, cost=query.quote(row.payer, row.meter or 0, call.quantity, month))


def verify_all(calls: Sequence[Call], caller: Caller, now: datetime) -> list[Verdict] | None:
    """The verdicts about several calls, each as if it were asked after those before it; all in one transaction."""
    terms, due = [Terms()] * len(calls), set[UUID]()
    while True:
        with transaction.atomic():
            rows = _ask_all(calls, caller, now, terms, due)
            undecided = [(index, row) for index, row in enumerate(rows or ()) if row.code in OPEN]
            if rows and not undecided:
                peppers.redigest([caller.secret, *(call.key for call in calls)])
                return [_verdict(row, now) for row in rows]
            transaction.set_rollback(True)
        if rows is None:  # perhaps not from the first call on: the key may have been revoked meanwhile
            return None
        due |= {row.payer for _, row in undecided if row.code == "DUE"}
        for index, row in undecided:
            if row.code != "DUE":
                terms[index] = _learnt(terms[index], calls[index], row, now)


def _ask_all(
    calls: Sequence[Call], caller: Caller, now: datetime, terms: Sequence[Terms], due: set[UUID]
) -> list[Row] | None:
    """Payers are locked first and then the windows of rate limits, in the order of their ids, so that no two batches
    wait for each other."""
    payers, limited = query.places(calls)
    locked = due | {payer for call, payer in zip(calls, payers, strict=True) if payer and call.hold_seconds}
    if locked:
        posting.lock(locked, now)
    rate_limits.lock(limited)
    settled = [replace(one, settled=payer in locked) for one, payer in zip(terms, payers, strict=True)]
    return query.ask_all(calls, caller, now, settled, holding=any(call.hold_seconds for call in calls))


def _verdict(row: Row, now: datetime) -> Verdict:
    if row.code is None:
        return Verdict(Code.NOT_FOUND)
    code = Code(row.code)
    held = key_permissions.usable(row.permissions, scopes.of_roles(row.roles or ()))
    known = Verdict(code, row.key_id, row.organization, held, row.expires_at, count=_count(row, code, now))
    if code not in WEIGHED:
        return known
    return replace(known, cost=row.cost, available=row.available, hold=f"hold_{row.hold.hex}" if row.hold else None)


def _count(row: Row, code: Code, now: datetime) -> rate_limits.Count | None:
    if row.limit is None or (code not in WEIGHED and code is not Code.RATE_LIMITED):
        return None
    limit = rate_limits.Limit("key", row.key_id, row.limit, row.window)
    return rate_limits.count(limit, now.timestamp(), row.is_counted, row.moments, row.calls)
