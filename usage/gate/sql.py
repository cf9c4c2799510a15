"""The statement by which the gate decides about a call.

It finds the platform key that asks and the customer's key that was presented, returns the first reason to refuse the
call, counts it in the key's rate limit, holds the cost, and updates the last use of both keys.

It has several forms, because even a part that does nothing takes PostgreSQL as long as looking up the keys. Most calls
are made with keys without rate limit and budget, whose last use was updated within this minute. For those there is a
short form that only reads and holds: its hold is one guarded UPDATE of the account, decided by the latest row. The long
form also counts rate limits, checks budgets and updates the last use; if it is `planned`, it also counts in the limit
of the payer's plan. If it holds, it must run after `lock`, in the same transaction, so that it sees the latest figures.

If the statement can't decide a call, it has done nothing, and `code` says what is missing: LONG the long form, PLAN the
planned form, CLOCK how far the payer's clock is ahead, DUE that the account must be brought up to date, TIERED the
price, BUDGETED the month of the budgets, NO_METER the meter. Keys and rate limits follow the real time, everything
about money the payer's clock.
"""

from functools import cache
from typing import LiteralString, NamedTuple

from psycopg.sql import SQL, Literal, Placeholder

from accounts.lib import sql
from apikeys import rate_limits
from billing.ledger import holds
from usage.gate import parts


class Form(NamedTuple):
    """Which parts the statement has. `planned` is a long form. `given`: figures of distributed tables come as
    parameters.

    `peppers`: secrets are looked up by so many digests, `caller_0` and `presented_0` onwards. `holding`: the cost is
    held. The other fields say what is already known: that nothing is due (`up_to_date`, under the lock), the `month` of
    the budgets, and the `cost`, if it is not the flat price times the quantity.
    """

    peppers: int
    long: bool = False
    planned: bool = False
    holding: bool = False
    up_to_date: bool = False
    month: bool = False
    cost: bool = False
    given: bool = False


@cache
def statement(form: Form) -> str:
    """The statement in that form."""
    weighing = _long(form) if form.long else [_short(form)]
    placing = [parts.ROOM, holds.PLACED] if form.holding else []
    touched = [sql.compose(parts.TOUCHED, stale=parts.STALE)] if form.long else []
    members = [_caller(parts.SCOPE, form.peppers), *_judged(form), *weighing, *placing, *touched]
    return sql.compose("WITH {members} {answer}", members=SQL(",").join(map(SQL, members)), answer=_answer(form))


@cache
def caller(scope: str, peppers: int) -> str:
    """Finds only the platform key, if it has that scope and its last use was updated within this minute."""
    return sql.compose("WITH {caller} SELECT FROM caller WHERE NOT is_stale", caller=_caller(scope, peppers))


@cache
def owner(peppers: int) -> str:
    """Finds the payer, the organization and the id of the presented key."""
    return sql.compose(parts.OWNER, digests=_digests("presented", peppers))


@cache
def lock(peppers: int) -> str:
    """Locks the payer of the presented key, if it has an account."""
    return sql.compose(parts.LOCK, digests=_digests("presented", peppers))


def _caller(scope: str, peppers: int) -> str:
    return sql.compose(parts.CALLER, stale=parts.STALE, digests=_digests("caller", peppers), scope=Literal(scope))


def _judged(form: Form) -> list[str]:
    """Everything up to the first reason that is not about money or limits."""
    digests = _digests("presented", form.peppers)
    due, ledger = "false" if form.up_to_date else parts.DUE, parts.LEDGER_GIVEN if form.given else parts.LEDGER
    cost = "%(cost)s::numeric" if form.cost else "meter.charge"
    return [
        sql.compose(
            parts.PRESENTED, stale=parts.STALE, due=due, scopes=parts.OUR_SCOPES, digests=digests, ledger=ledger
        ),
        parts.METER,
        sql.compose(parts.JUDGED, cost=cost, tiered="" if form.cost else parts.TIERED),
    ]


def _short(form: Form) -> str:
    return sql.compose(parts.SHORT, capped=_capped(form), uncounted=parts.UNCOUNTED, unplanned=parts.UNPLANNED)


def _capped(form: Form) -> str:
    if not form.month:
        return parts.BUDGETED
    return parts.CAPPED_GIVEN if form.given else parts.CAPPED


def _long(form: Form) -> list[str]:
    uncapped, capped = "" if form.month else parts.UNCAPPED, _capped(form)
    limited = sql.compose(parts.LIMITED, uncapped=uncapped, unfilled=parts.UNFILLED if form.planned else parts.UNASKED)
    counted = [limited, rate_limits.counting("counted", "limited")]
    common = {"capped": capped, "read": rate_limits.READ}
    if not form.planned:
        return [
            *counted,
            sql.compose(parts.LONG, **common, plan=parts.PLAN_ASKED, of_plan=parts.UNPLANNED, read_plan=""),
        ]
    plan = [sql.compose(parts.PLAN, uncapped=uncapped)]
    planned = [parts.PLANNED, rate_limits.counting("counted_plan", "planned")]
    weighed = sql.compose(
        parts.LONG, **common, plan=parts.PLAN_REFUSED, of_plan=parts.OF_PLAN, read_plan=parts.READ_PLAN
    )
    return [*plan, *counted, *planned, weighed]


def _answer(form: Form) -> str:
    code: LiteralString = "w.code" if form.long else parts.SHORT_CODE
    return sql.compose(
        parts.ANSWER,
        code=sql.compose(code, lost=parts.LOST if form.holding else "false"),
        available="(SELECT available FROM account)" if form.holding else "NULL",
        hold="(SELECT id FROM hold)" if form.holding else "NULL::uuid",
    )


def _digests(name: str, peppers: int) -> str:
    digests = [SQL("{}::bytea").format(Placeholder(f"{name}_{number}")) for number in range(peppers)]
    return sql.compose("ARRAY[{digests}]", digests=SQL(", ").join(digests))
