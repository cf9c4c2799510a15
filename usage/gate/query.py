"""Asks the database about calls: the parameters of the statement in `usage.gate.sql`, and its result."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts import scopes
from accounts.lib import distribution, sql
from accounts.lib.identifiers import uuid7
from apikeys import secrets
from apikeys.rate_limits import Limit
from billing.models import Hold
from usage.gate import distributed
from usage.gate import sql as gate_sql
from usage.gate.answer import Answer
from usage.gate.caller import Caller, digests
from usage.gate.sql import Form
from usage.metering import pricing
from usage.metering.pricing import Schedule, Tier

# The roles that hold a permission which is a scope of ours.
HOLDERS = {scope: [role for role, held in scopes.BY_ROLE.items() if scope in held] for scope in scopes.ALL}
MOST_REMEMBERED = 100_000

# The payers and the rate limits of keys and of their payers' plans, by the digests of their secrets.
KEYS = """
SELECT s.digest, o.root_id, k.environment = 'test', k.id, k.rate_limit, k.rate_limit_window_seconds, {plan_limit}
  FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
  JOIN accounts_organization o ON o.id = k.organization_id {ledger} WHERE s.digest = ANY(%(digests)s::bytea[])
"""
PLAN_LIMIT = "a.rate_limit, a.rate_limit_window_seconds"
OF_KEYS_AND_PLANS = sql.compose(
    KEYS,
    plan_limit=PLAN_LIMIT,
    ledger="LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id",
)

# The price of a meter for a payer, with a row for each tier, and how much of it was used in the month.
SCHEDULE = """
SELECT coalesce(p.unit_amount, 0), t.up_to, t.unit_amount,
       coalesce((SELECT l.included_quantity FROM billing_subscription s
                   JOIN billing_planallowance l ON l.plan_id = s.plan_id
                  WHERE s.organization_id = %(payer)s AND s.status IN ('active', 'trialing')
                    AND l.meter_id = m.id LIMIT 1), 0),
       coalesce({used}, 0)
  FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id LEFT JOIN billing_pricetier t ON t.price_id = p.id
 WHERE m.id = %(meter)s ORDER BY t.up_to NULLS LAST
"""
USED = """
(SELECT v.quantity FROM usage_volume v
  WHERE v.account_id = %(payer)s AND v.meter_id = m.id AND v.month = %(month)s)"""
SCHEDULE_AND_USED = sql.compose(SCHEDULE, used=USED)

# If the tables are distributed, the payers' data is read separately.
OF_KEYS = sql.compose(KEYS, plan_limit="NULL, NULL", ledger="")
OF_PLAN = sql.compose(
    "SELECT organization_id, {plan_limit} FROM billing_ledgeraccount a WHERE organization_id = %(payer)s",
    plan_limit=PLAN_LIMIT,
)
SCHEDULE_ALONE = sql.compose(SCHEDULE, used="%(used)s::numeric")
USED_ALONE = """
SELECT sum(quantity) FROM usage_volume WHERE account_id = %(payer)s AND meter_id = %(meter)s AND month = %(month)s
"""


class UnknownMeter(Exception):
    """A call names a meter that doesn't exist. `index` is its place among the calls."""

    def __init__(self, index: int = 0) -> None:
        super().__init__(index)
        self.index = index


@dataclass(frozen=True, slots=True)
class Call:
    """A customer's secret, and what the customer wants to do with it. With `hold_seconds` the cost is held."""

    key: str
    permission: str | None = None
    meter: str | None = None
    quantity: Decimal = Decimal(1)
    ip: str | None = None
    hold_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """Facts that the statement can't find out by itself.

    How far the payer's clock is ahead, that nothing is due, the month of the budgets, and the cost.
    """

    ahead: timedelta | None = None
    up_to_date: bool = False
    month: date | None = None
    cost: Decimal | None = None

    def at(self, real_now: datetime) -> datetime:
        """The payer's now."""
        return real_now + self.ahead if self.ahead else real_now


NOTHING_KNOWN = Context()


# The form that keys needed the last time, by the hashes of their secrets: LONG or PLAN. A right guess saves a trip.
_needed: dict[int, str] = {}


def ask(call: Call, caller: Caller, now: datetime, context: Context) -> Answer | None:
    """One trip, or two if we didn't know yet that the key needs the long form. None if the caller is refused."""
    needed = _needed.get(hash(call.key), "LONG" if context.month else "")
    answer = _ask(call, caller, now, context, needed)
    while answer and answer.code in ("LONG", "PLAN"):
        needed = answer.code
        answer = _ask(call, caller, now, context, needed)
        if needed == "PLAN" or (answer and answer.limit is not None):
            _remember(call.key, needed)
    return answer


def _remember(key: str, needed: str) -> None:
    if len(_needed) >= MOST_REMEMBERED:
        _needed.clear()
    _needed[hash(key)] = needed


def _ask(call: Call, caller: Caller, now: datetime, context: Context, needed: str) -> Answer | None:
    if distribution.is_distributed():
        return _checked(call, _ask_there(call, caller, now, context, needed), 0)
    steps = _steps(call, caller, now, context, needed)
    rows = sql.in_one_trip(*steps)[-1] if len(steps) > 1 else sql.rows(*steps[0])
    return read(call, rows)


def first_step(call: Call, caller: Caller, now: datetime) -> tuple[str, sql.Parameters, bool] | None:
    """The statement that `ask` runs first, its parameters, and whether it only reads; None if that takes several."""
    if distribution.is_distributed():
        return None
    needed = _needed.get(hash(call.key), "")
    steps = _steps(call, caller, now, NOTHING_KNOWN, needed)
    return (*steps[0], not needed and call.hold_seconds is None) if len(steps) == 1 else None


def read(call: Call, rows: Sequence[tuple[Any, ...]]) -> Answer | None:
    """The statement's answer to a single call. None if the caller is refused."""
    return _checked(call, Answer(*rows[0]), 0) if rows else None


def _ask_there(call: Call, caller: Caller, now: datetime, context: Context, needed: str) -> Answer | None:
    return distributed.ask(_form(call, context, needed), _parameters(call, caller, now, context))


def ask_all(
    calls: Sequence[Call],
    caller: Caller,
    now: datetime,
    contexts: Sequence[Context],
    *,
    holding: bool,
    planned: bool,
) -> list[Answer] | None:
    """One trip, in which each call is judged after those before it. What they need is locked already.

    If none of them holds, no verdict depends on one before it: then those that need the long form go in a second trip.
    `planned`: some payer's plan has a rate limit.
    """
    needed = "PLAN" if planned else "LONG"
    answers = _ask_each(range(len(calls)), calls, caller, now, contexts, needed if holding else "")
    left = [index for index, answer in answers.items() if answer and answer.code in ("LONG", "PLAN")]
    if left and not holding:
        answers |= _ask_each(left, calls, caller, now, contexts, needed)
    judged = [answer for answer in answers.values() if answer]
    return judged if len(judged) == len(calls) else None


def _ask_each(
    indexes: Iterable[int],
    calls: Sequence[Call],
    caller: Caller,
    now: datetime,
    contexts: Sequence[Context],
    needed: str,
) -> dict[int, Answer | None]:
    if distribution.is_distributed():
        answers = ((index, _ask_there(calls[index], caller, now, contexts[index], needed)) for index in indexes)
        return {index: _checked(calls[index], answer, index) for index, answer in answers}
    steps = {index: _steps(calls[index], caller, now, contexts[index], needed)[-1] for index in indexes}
    results = zip(steps, sql.in_one_trip(*steps.values()), strict=True)
    return {index: _checked(calls[index], Answer(*rows[0]), index) if rows else None for index, rows in results}


def _checked(call: Call, answer: Answer | None, index: int) -> Answer | None:
    if answer and call.meter is not None and answer.meter is None:
        raise UnknownMeter(index)
    return answer


def payers_and_limits(calls: Sequence[Call]) -> tuple[list[UUID | None], set[Limit]]:
    """The payer of each call's key (None: no such key), and the rate limits of those keys and plans that have one."""
    presented = [secrets.digests(call.key) for call in calls]
    rows = _keys([digest for digests in presented for digest in digests])
    payers = {bytes(digest): payer for digest, payer, *_ in rows}
    limits = {Limit("key", str(key), limit, window) for _, _, _, key, limit, window, _, _ in rows if limit}
    limits |= {of_plan(payer, limit, window, is_test) for _, payer, is_test, *_, limit, window in rows if limit}
    return [next((payers[digest] for digest in digests if digest in payers), None) for digests in presented], limits


def _keys(digests: list[bytes]) -> list[tuple[Any, ...]]:
    if not distribution.is_distributed():
        return sql.rows(OF_KEYS_AND_PLANS, {"digests": digests})
    rows = sql.rows(OF_KEYS, {"digests": digests})
    payers = {payer for _, payer, *_ in rows}
    limits = {payer: limit for of in payers for payer, *limit in sql.rows(OF_PLAN, {"payer": of})}
    return [(*row[:-2], *limits.get(row[1], row[-2:])) for row in rows]


def of_plan(payer: UUID | str, limit: int, window: int, is_test: bool) -> Limit:
    """The rate limit of a payer's plan. Calls with test keys are counted apart."""
    return Limit("plan", f"{payer}:test" if is_test else str(payer), limit, window)


def quote(payer: UUID, meter: int, quantity: Decimal, month: date) -> Decimal:
    """The cost of the next `quantity` units of the month, if that depends on how many were used before."""
    parameters = {"payer": payer, "meter": meter, "month": month}
    if distribution.is_distributed():
        rows = sql.rows(SCHEDULE_ALONE, {**parameters, "used": sql.rows(USED_ALONE, parameters)[0][0]})
    else:
        rows = sql.rows(SCHEDULE_AND_USED, parameters)
    tiers = tuple(Tier(up_to, amount) for _, up_to, amount, _, _ in rows if amount is not None)
    unit_amount, _, _, included, used = rows[0]
    return pricing.charge(Schedule(unit_amount, tiers, included), used, quantity)


def _steps(
    call: Call, caller: Caller, now: datetime, context: Context, needed: str
) -> list[tuple[str, Mapping[str, Any]]]:
    """The statement for the call in the form that is needed (LONG, PLAN, or empty), after the lock if one is needed."""
    form, parameters = _form(call, context, needed), _parameters(call, caller, now, context)
    step = (gate_sql.statement(form), parameters)
    return [(gate_sql.lock(form.peppers), parameters), step] if form.holding and form.long else [step]


def _form(call: Call, context: Context, needed: str) -> Form:
    return Form(
        peppers=len(settings.API_KEY_PEPPERS),
        long=bool(needed),
        planned=needed == "PLAN",
        holding=call.hold_seconds is not None,
        up_to_date=context.up_to_date,
        month=context.month is not None,
        cost=context.cost is not None,
    )


def _parameters(call: Call, caller: Caller, now: datetime, context: Context) -> dict[str, Any]:
    parameters: dict[str, Any] = {
        **caller.parameters,
        **digests("presented", call.key),
        "permission": call.permission,
        "holders": HOLDERS.get(call.permission or ""),
        "ip": call.ip,
        "meter": call.meter,
        "quantity": call.quantity,
        "month": context.month,
        "cost": context.cost,
        "ahead": context.ahead,
        "now": context.at(now),
        "real_now": now,
        "epoch": now.timestamp(),
    }
    if call.hold_seconds:
        parameters |= _hold(context.at(now) + timedelta(seconds=call.hold_seconds))
    return parameters


def _hold(expires_at: datetime) -> dict[str, Any]:
    """The parameters of `holds.PLACED`."""
    return {
        "id": uuid7(),
        "purpose": Hold.Purpose.HOLD.value,
        "reference": "",
        "metadata": "{}",
        "spend_until": None,
        "by_platform": True,
        "expires_at": expires_at,
    }
