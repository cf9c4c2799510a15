"""Asking the database about calls: what the statement of `usage.gate.sql` is told, and what it answers."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import scopes
from accounts.lib import sql
from accounts.lib.identifiers import uuid7
from apikeys import secrets
from apikeys.rate_limits import Limit
from billing.models import Hold
from usage.gate import sql as gate_sql
from usage.gate.sql import Form
from usage.metering import pricing
from usage.metering.pricing import Schedule, Tier

# Of a permission that is a scope, the roles that hold it.
HOLDERS = {scope: [role for role, held in scopes.BY_ROLE.items() if scope in held] for scope in scopes.ALL}
NO_DIGEST = b""
MOST_KNOWN = 100_000

# Whose the keys are, by their digests; and those with a rate limit.
PLACES = """
SELECT s.digest, o.root_id, k.id, k.rate_limit, k.rate_limit_window_seconds
  FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
  JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY(%(digests)s::bytea[])
"""

# What a meter costs a payer, with a row for each tier, and how much of it was used in the month.
SCHEDULE = """
SELECT coalesce(p.unit_amount, 0), t.up_to, t.unit_amount,
       coalesce((SELECT l.included_quantity FROM billing_subscription s
                   JOIN billing_planallowance l ON l.plan_id = s.plan_id
                  WHERE s.organization_id = %(payer)s AND s.status = 'active' AND l.meter_id = m.id LIMIT 1), 0),
       coalesce((SELECT v.quantity FROM usage_volume v
                  WHERE v.account_id = %(payer)s AND v.meter_id = m.id AND v.month = %(month)s), 0)
  FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id LEFT JOIN billing_pricetier t ON t.price_id = p.id
 WHERE m.id = %(meter)s ORDER BY t.up_to NULLS LAST
"""


class UnknownMeter(Exception):
    """The call names a meter that there is not. `index` is its place among those that were asked about."""

    def __init__(self, index: int = 0) -> None:
        super().__init__(index)
        self.index = index


@dataclass(frozen=True, slots=True)
class Caller:
    """The platform key that asks, and from where. `counted`: its own rate limit, if any, has counted the request."""

    secret: str
    address: str | None
    counted: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A customer's secret, and what is to be done with it. With `hold_seconds` the cost is held."""

    key: str
    permission: str | None = None
    meter: str | None = None
    quantity: Decimal = Decimal(1)
    ip: str | None = None
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What the statement can't know by itself: that what fell due is settled, the month of the budgets, the cost."""

    settled: bool = False
    month: date | None = None
    cost: Decimal | None = None


@dataclass(slots=True)
class Row:
    """The statement's answer. `code` is None for an unknown key, and may be one that leaves the call open: only then
    there are `payer` and `timezone`."""

    code: str | None
    meter: int | None
    key_id: str
    organization: str
    permissions: list[str]
    roles: list[str] | None
    expires_at: datetime | None
    cost: Decimal
    available: Decimal
    hold: UUID | None
    limit: int | None
    window: int
    is_counted: bool
    moments: list[float] | None
    calls: list[int] | None
    payer: UUID
    timezone: str


# Secrets, by their hashes, of keys that took the long form when they were last seen here: a guess that saves a trip.
_long: set[int] = set()


def ask(call: Call, caller: Caller, now: datetime, terms: Terms) -> Row | None:
    """One trip; two for a key that takes the long form and is not known to. None where the caller is refused."""
    known = hash(call.key)
    long = terms.month is not None or known in _long
    row = _ask(call, caller, now, terms, long=long)
    if row is None or row.code != "LONG":
        return row
    row = _ask(call, caller, now, terms, long=True)
    if row and row.limit is not None:
        if len(_long) >= MOST_KNOWN:
            _long.clear()
        _long.add(known)
    return row


def _ask(call: Call, caller: Caller, now: datetime, terms: Terms, *, long: bool) -> Row | None:
    steps = _steps(call, caller, now, terms, long=long)
    found = sql.in_one_trip(*steps)[-1] if len(steps) > 1 else sql.rows(*steps[0])
    return _row(call, found[0], 0) if found else None


def ask_all(
    calls: Sequence[Call], caller: Caller, now: datetime, terms: Sequence[Terms], *, holding: bool
) -> list[Row] | None:
    """One trip, in which each call is judged after those before it. What they need is locked already.

    Where none holds, no verdict hangs on one before it: those that take the long form are asked in a second trip.
    """
    rows = _ask_each(range(len(calls)), calls, caller, now, terms, long=holding)
    left = [index for index, row in rows.items() if row and row.code == "LONG"]
    if left:
        rows |= _ask_each(left, calls, caller, now, terms, long=True)
    found = [row for row in rows.values() if row]
    return found if len(found) == len(calls) else None


def _ask_each(
    indexes: Iterable[int], calls: Sequence[Call], caller: Caller, now: datetime, terms: Sequence[Terms], *, long: bool
) -> dict[int, Row | None]:
    steps = {index: _steps(calls[index], caller, now, terms[index], long=long)[-1] for index in indexes}
    answers = zip(steps, sql.in_one_trip(*steps.values()), strict=True)
    return {index: _row(calls[index], rows[0], index) if rows else None for index, rows in answers}


def _row(call: Call, columns: tuple[Any, ...], index: int) -> Row:
    row = Row(*columns)
    if call.meter is not None and row.meter is None:
        raise UnknownMeter(index)
    return row


def knows(caller: Caller, scope: str, now: datetime) -> bool:
    """Whether the caller is a platform key that has that scope, and whose use was noted this minute."""
    peppers = len(settings.API_KEY_PEPPERS)
    told: dict[str, Any] = {"address": caller.address, "counted": caller.counted, "now": now}
    for number, digest in enumerate(secrets.digests(caller.secret) or [NO_DIGEST] * peppers):
        told[f"caller_{number}"] = digest
    return bool(sql.rows(gate_sql.caller(scope, peppers), told))


def places(calls: Sequence[Call]) -> tuple[list[UUID | None], set[Limit]]:
    """The payer of each call's key, and the rate limits of the keys that have one."""
    digests = [secrets.digests(call.key) for call in calls]
    found = sql.rows(PLACES, {"digests": [one for several in digests for one in several]})
    payers = {bytes(digest): payer for digest, payer, *_ in found}
    limited = {Limit("key", str(key), limit, window) for _, _, key, limit, window in found if limit}
    return [next((payers[one] for one in several if one in payers), None) for several in digests], limited


def quote(payer: UUID, meter: int, quantity: Decimal, month: date) -> Decimal:
    """What the next `quantity` units of the month cost, where that depends on how much of it was used."""
    found = sql.rows(SCHEDULE, {"payer": payer, "meter": meter, "month": month})
    tiers = tuple(Tier(up_to, amount) for _, up_to, amount, _, _ in found if amount is not None)
    unit_amount, _, _, included, used = found[0]
    return pricing.charge(Schedule(unit_amount, tiers, included), used, quantity)


def _steps(
    call: Call, caller: Caller, now: datetime, terms: Terms, *, long: bool
) -> list[tuple[str, Mapping[str, Any]]]:
    """The statement for the call, after the lock where that is needed."""
    peppers, holding = len(settings.API_KEY_PEPPERS), call.hold_seconds is not None
    form = Form(peppers, long, holding, terms.settled, terms.month is not None, terms.cost is not None)
    told = _parameters(call, caller, now, terms, peppers)
    step = (gate_sql.statement(form), told)
    return [(gate_sql.lock(peppers), told), step] if holding and long else [step]


def _parameters(call: Call, caller: Caller, now: datetime, terms: Terms, peppers: int) -> dict[str, Any]:
    about: dict[str, Any] = {
        "address": caller.address,
        "counted": caller.counted,
        "permission": call.permission,
        "holders": HOLDERS.get(call.permission or ""),
        "ip": call.ip,
        "meter": call.meter,
        "quantity": call.quantity,
        "month": terms.month,
        "cost": terms.cost,
        "now": now,
        "epoch": now.timestamp(),
    }
    for name, secret in (("caller", caller.secret), ("asked", call.key)):
        for number, digest in enumerate(secrets.digests(secret) or [NO_DIGEST] * peppers):
            about[f"{name}_{number}"] = digest
    return {**about, **_hold(now + timedelta(seconds=call.hold_seconds))} if call.hold_seconds is not None else about


def _hold(expires_at: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "purpose": Hold.Purpose.HOLD.value,
        "reference": "",
        "metadata": "{}",
        "spend_until": None,
        "by_platform": True,
        "expires_at": expires_at,
    }
