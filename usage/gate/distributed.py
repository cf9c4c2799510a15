"""Asks about a call where the tables are distributed over several machines: the keys are on one, the payer on another.

First the payer is found, then its account is read (or locked, if the call may hold and counts as well), then the call
is judged by what was read, and then its cost is held, by one guarded UPDATE as elsewhere.
"""

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts.lib import sql
from billing.ledger import budgets, holds
from usage.gate import sql as gate_sql
from usage.gate.answer import Answer
from usage.gate.sql import Form

LEDGER = """
SELECT organization_id, balance, reserved, credit_limit, due_at, zones, rate_limit, rate_limit_window_seconds
  FROM billing_ledgeraccount WHERE organization_id = %(account)s {lock}
"""
READ = sql.compose(LEDGER, lock="")
LOCK = sql.compose(LEDGER, lock="FOR NO KEY UPDATE")
COLUMNS = (
    *("organization_id", "balance", "reserved", "credit_limit", "due_at", "zones"),
    *("rate_limit", "rate_limit_window_seconds"),
)

Owner = Mapping[str, Any]  # the parameters account, organization and key


@transaction.atomic
def ask(form: Form, parameters: sql.Parameters) -> Answer | None:
    """The answer of the statement in that form, and the hold that it would have placed."""
    owners = sql.rows(gate_sql.owner(form.peppers), parameters)
    owner = dict(zip(("account", "organization", "key"), owners[0], strict=True)) if owners else {}
    given = {
        "ledger": _ledger(owner, locked=form.holding and form.long),
        "budget_left": _budget_left(owner, parameters) if form.month and owner else None,
    }
    statement = gate_sql.statement(form._replace(holding=False, given=True))
    rows = sql.rows(statement, {**parameters, **given})
    if not rows:
        return None
    answer = Answer(*rows[0])
    if form.holding and answer.code == "VALID" and answer.cost > 0:
        _hold(answer, {**parameters, **owner, "amount": answer.cost, "minimum": answer.cost})
    return answer


def _ledger(owner: Owner, *, locked: bool) -> str:
    """The account's row as JSON; no row if the payer has none."""
    rows = sql.rows(LOCK if locked else READ, owner) if owner else []
    named = [dict(zip(COLUMNS, row, strict=True)) for row in rows]
    for row in named:
        row["zones"] = json.loads(row["zones"])
    return json.dumps(named, default=str)


def _budget_left(owner: Owner, parameters: sql.Parameters) -> Decimal | None:
    """The least that a budget of the key, or of a node above it, has left; None without budgets."""
    rows = budgets.excess({**owner, **parameters, "amount": Decimal("Infinity")})
    return rows[0][1] - rows[0][2] - rows[0][3] if rows else None


def _hold(answer: Answer, parameters: sql.Parameters) -> None:
    """If another call took the credits meanwhile, the long form, under the lock, decides."""
    placed = holds.place_apart(parameters)
    if placed:
        [(answer.hold, answer.available)] = placed
    else:
        answer.code = "LONG"
