"""The gate: may this key do this now, and what will it cost? The first reason to refuse decides.

A call is judged by one statement, in one trip to the database. If that takes more (something fell due, a budget, a
price in tiers), the statement does nothing and says what is missing. We find that out and ask again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from typing import Any
from uuid import UUID

from django.db import transaction
from prometheus_client import Counter

from accounts import scopes
from accounts.lib import sql
from accounts.lib.money import ZERO
from apikeys import key_permissions, peppers, rate_limits
from billing.ledger import posting
from usage.gate import query
from usage.gate.answer import Answer
from usage.gate.caller import Caller
from usage.gate.query import NOTHING_KNOWN, Call, Context

BATCH_LIMIT = 100
LONGEST_HOLD_SECONDS = 86_400
UNDECIDED = frozenset({"CLOCK", "DUE", "BUDGETED", "TIERED", "LONG", "PLAN"})
MISSING = UNDECIDED - {"DUE", "LONG", "PLAN"}  # in the context


class Code(StrEnum):
    """The reasons for a verdict, in the order in which they decide."""

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


VERDICTS = Counter("tollgate_gate_verdicts", "What the gate said.", ["code"])
PRICED = frozenset({Code.VALID, Code.BUDGET_EXCEEDED, Code.INSUFFICIENT_CREDITS})


@dataclass(frozen=True, slots=True)
class Verdict:
    """`cost` is zero if no meter was named, or if another reason decided before the cost. `available` is the payer's,
    after the hold.

    `permissions` are those that the key has now. `counts` are those of the rate limits that were looked at: the key's
    own, and that of its payer's plan.
    """

    code: Code
    key_id: str | None = None
    organization: str | None = None
    permissions: tuple[str, ...] = ()
    expires_at: datetime | None = None
    cost: Decimal = ZERO
    available: Decimal | None = None
    hold: str | None = None
    counts: tuple[rate_limits.Count, ...] = ()


def verify(call: Call, caller: Caller, now: datetime) -> Verdict | None:
    """The verdict about a customer's key. None if the caller isn't a platform key that may ask: then nothing was done.

    Nothing but the cost is held, and only if the call is valid. `UnknownMeter` if there is no such meter.
    """
    answer = _decide(call, caller, now, NOTHING_KNOWN)
    if answer is None:
        return None
    peppers.redigest([caller.secret, call.key])
    return _verdict(answer, now)


@dataclass(frozen=True, slots=True)
class Question:
    """The one statement that decides about most calls, for the web server to run on its event loop.

    If it only reads, it waits for no row's lock.
    """

    call: Call
    now: datetime
    statement: str
    parameters: sql.Parameters
    only_reads: bool

    def verdict(self, rows: Sequence[tuple[Any, ...]]) -> Verdict | None:
        """By the statement's rows. None if they don't decide: then nothing was done, and `verify` has to."""
        try:
            answer = query.read(self.call, rows)
        except query.UnknownMeter:
            return None
        return _verdict(answer, self.now) if answer and answer.code not in UNDECIDED else None


def question(call: Call, caller: Caller, now: datetime) -> Question | None:
    """What `verify` would ask first; None if it needs more than one statement."""
    step = query.first_step(call, caller, now) if peppers.is_single() else None
    return Question(call, now, *step) if step else None


def _decide(call: Call, caller: Caller, now: datetime, context: Context) -> Answer | None:
    answer = query.ask(call, caller, now, context)
    if answer is None or answer.code not in UNDECIDED:
        return answer
    if answer.code != "DUE":
        return _decide(call, caller, now, _completed(context, call, answer, now))
    with transaction.atomic():
        posting.lock([answer.payer], context.at(now))
        return _decide(call, caller, now, replace(context, up_to_date=True))


def _completed(context: Context, call: Call, answer: Answer, now: datetime) -> Context:
    """Adds what was missing to the context: the payer's clock, the month of the budgets, or the cost in tiers."""
    if answer.code == "CLOCK":
        return replace(context, ahead=answer.ahead)
    month = answer.billing_zone.month_of(context.at(now))
    if answer.code == "BUDGETED":
        return replace(context, month=month)
    return replace(context, cost=query.quote(answer.payer, answer.meter or 0, call.quantity, month))


def verify_all(calls: Sequence[Call], caller: Caller, now: datetime) -> list[Verdict] | None:
    """The verdicts about several calls, each as if it were asked after those before it; all in one transaction."""
    contexts, due = [NOTHING_KNOWN] * len(calls), set[UUID]()
    while True:
        with transaction.atomic():
            answers = _ask_all(calls, caller, now, contexts, due)
            undecided = [(index, answer) for index, answer in enumerate(answers or ()) if answer.code in UNDECIDED]
            if answers and not undecided:
                peppers.redigest([caller.secret, *(call.key for call in calls)])
                return [_verdict(answer, now) for answer in answers]
            transaction.set_rollback(True)
        if answers is None:  # the platform key may have been revoked in between, so undo what was done before
            return None
        due |= {answer.payer for _, answer in undecided if answer.code == "DUE"}
        for index, answer in undecided:
            if answer.code in MISSING:
                contexts[index] = _completed(contexts[index], calls[index], answer, now)


def _ask_all(
    calls: Sequence[Call], caller: Caller, now: datetime, contexts: Sequence[Context], due: set[UUID]
) -> list[Answer] | None:
    """Lock the payers and then the counts of rate limits, each in the order of ids, so that batches never deadlock."""
    payers, limits = query.payers_and_limits(calls)
    locked = due | {payer for call, payer in zip(calls, payers, strict=True) if payer and call.hold_seconds}
    if locked:
        posting.lock(locked, now)
    for context, payer in zip(contexts, payers, strict=True):
        if payer in locked and context.ahead:  # its own clock may have more that is due
            posting.lock([payer], context.at(now))
    rate_limits.lock(limits)
    contexts = [replace(context, up_to_date=payer in locked) for context, payer in zip(contexts, payers, strict=True)]
    holding, planned = any(call.hold_seconds for call in calls), any(limit.policy == "plan" for limit in limits)
    return query.ask_all(calls, caller, now, contexts, holding=holding, planned=planned)


def _verdict(answer: Answer, now: datetime) -> Verdict:
    code = Code(answer.code or Code.NOT_FOUND)
    _counter(code).inc()
    if answer.code is None:
        return Verdict(code)
    is_priced = code in PRICED
    return Verdict(
        code,
        answer.key_id,
        answer.organization,
        key_permissions.usable(answer.permissions, scopes.of_roles(answer.roles or ())),
        answer.expires_at,
        cost=answer.cost if is_priced else ZERO,
        available=answer.available if is_priced else None,
        hold=f"hold_{answer.hold.hex}" if is_priced and answer.hold else None,
        counts=_counts(answer, code, now),
    )


@cache
def _counter(code: Code) -> Counter:
    return VERDICTS.labels(code.value)


def _counts(answer: Answer, code: Code, now: datetime) -> tuple[rate_limits.Count, ...]:
    if code not in PRICED and code is not Code.RATE_LIMITED:
        return ()
    at, counts = now.timestamp(), []
    if answer.limit is not None:
        limit = rate_limits.Limit("key", answer.key_id, answer.limit, answer.window)
        counts.append(rate_limits.count(limit, at, answer.is_counted, answer.moments, answer.calls))
    if answer.plan_limit is not None:
        limit = query.of_plan(answer.organization, answer.plan_limit, answer.plan_window, answer.is_test)
        count = rate_limits.count(limit, at, answer.is_counted_in_plan, answer.plan_moments, answer.plan_calls)
        counts.append(count)
    return tuple(counts)
