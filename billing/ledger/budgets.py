"""Budgets: how much a key, or an organization with everything beneath it, may spend in a month of its payer's billing
zone.

Admission refuses whatever would exceed a budget. Settlement is never refused, but counts. Held credits count in the
budgets of their key and of every node above. `Spending` is kept for every key and node, with a budget or without.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.lib import distribution, sql
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.exceptions import BudgetExceeded
from billing.ledger import alerts, billing_zone, moves, posting
from billing.models import Hold

SPENT = """
coalesce((SELECT s.spent FROM billing_spending s
           WHERE s.account_id = {account} AND s.subject = cap.id AND s.month = {month}), 0)
"""

# What open holds may still take.
HELD = "SELECT coalesce(sum(greatest(h.amount - h.captured, 0)), 0) FROM billing_hold h"
OPEN = "h.account_id = {account} AND h.status = 'open' AND h.expires_at > {now}"

# The nodes that may have a budget, with what counts in it; for the payer, everything that is reserved. Exact only under
# the payer's lock, with nothing due.
NODES = """
SELECT cap.id AS subject, cap.monthly_budget AS budget, {spent} AS spent,
       CASE WHEN cap.id = {account}
            THEN coalesce((SELECT reserved FROM billing_ledgeraccount WHERE organization_id = {account}), 0)
            ELSE ({held} JOIN accounts_organization o ON o.id = h.organization_id
                   WHERE {open} AND cap.id = ANY(o.path)) END AS held
  FROM accounts_organization cap
"""

# Of the budgets that a call exceeds, the one with the least left.
EXCEEDED = """
SELECT subject, budget, spent, held
  FROM ({nodes} WHERE cap.id = ANY({path}) AND cap.monthly_budget IS NOT NULL
         UNION ALL
        SELECT cap.id, cap.monthly_budget, {spent}, ({held} WHERE {open} AND h.key_id = cap.id)
          FROM {keys} cap WHERE cap.id = {key} AND cap.monthly_budget IS NOT NULL) state
 WHERE spent + held + {amount} > budget ORDER BY budget - spent - held LIMIT 1
"""


def nodes(*, account: str, month: str, now: str) -> str:
    """The statement about nodes, with columns or parameters for the payer, the month of its budgets, and the time."""
    parts = {"account": account, "spent": sql.compose(SPENT, account=account, month=month), "held": HELD}
    return sql.compose(NODES, open=sql.compose(OPEN, account=account, now=now), **parts)


def exceeded(
    *, account: str, path: str, key: str, month: str, now: str, amount: str, keys: str = "apikeys_apikey"
) -> str:
    """The statement about a call of `key` in the organization of `path`, with columns or parameters for each."""
    return sql.compose(
        EXCEEDED,
        nodes=nodes(account=account, month=month, now=now),
        spent=sql.compose(SPENT, account=account, month=month),
        held=HELD,
        open=sql.compose(OPEN, account=account, now=now),
        path=path,
        keys=keys,
        key=key,
        amount=amount,
    )


PARAMETERS = {"account": "%(account)s", "month": "%(month)s", "now": "%(now)s"}

# The path is looked up here: with an array as a parameter, PostgreSQL would plan the statement anew for each call.
PATH = "(SELECT path FROM accounts_organization WHERE id = %(organization)s)::uuid[]"
ADMITTED = exceeded(path=PATH, key="%(key)s::uuid", amount="%(amount)s", **PARAMETERS)

# The same for distributed tables: the payer's machine has no keys.
KEY_BUDGET = "SELECT monthly_budget FROM apikeys_apikey WHERE id = %(key)s"
GIVEN_KEY = "(SELECT %(key)s::uuid AS id, %(key_budget)s::numeric AS monthly_budget)"
ADMITTED_THERE = exceeded(path=PATH, key="%(key)s::uuid", amount="%(amount)s", keys=GIVEN_KEY, **PARAMETERS)

OF = sql.compose("{nodes} WHERE cap.id = %(organization)s", nodes=nodes(**PARAMETERS))

COUNT = """
INSERT INTO billing_spending AS s (account_id, subject, month, spent)
SELECT %(account)s, subject, %(month)s, %(amount)s FROM unnest(%(subjects)s::uuid[]) AS subject ORDER BY subject
ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent
"""


@dataclass(frozen=True)
class BudgetState:
    """A node's budget in a month, None if it has none: what was spent, and what open holds may still take."""

    subject: UUID
    monthly_budget: Decimal | None
    spent: Decimal
    held: Decimal
    month: date

    @property
    def left(self) -> Decimal | None:
        return None if self.monthly_budget is None else self.monthly_budget - self.spent - self.held


def of(organization: Organization, now: datetime) -> BudgetState:
    """The organization's own budget, and what counts in it, as it stands now."""
    posting.current(organization.root_id, now)  # what fell due reserves nothing any more
    month = billing_zone.of(organization).month_of(now)
    parameters = {"account": organization.root_id, "organization": organization.pk, "month": month, "now": now}
    [(subject, budget, spent, held)] = sql.rows(OF, parameters)
    return BudgetState(subject, budget, spent, held, month)


def admit(
    organization: Organization,
    key: ApiKey | None,
    amount: Decimal,
    *,
    month: date,
    now: datetime,
    minimum: Decimal | None = None,
) -> Decimal:
    """How much of `amount` the budgets allow; `BudgetExceeded` below `minimum`, which is all of it unless given.

    Call it under the payer's lock. The budget of a node above is not named in the refusal.
    """
    sql.require_transaction()
    parameters = {
        "account": organization.root_id,
        "organization": organization.pk,
        "key": key.pk if key else None,
        "amount": amount,
        "month": month,
        "now": now,
    }
    rows = excess(parameters)
    if not rows:
        return amount
    [(subject, budget, spent, held)] = rows
    left: Decimal = budget - spent - held
    if minimum is None or left < minimum:
        own = {organization.pk: organization.public_id, **({key.pk: key.public_id} if key else {})}
        raise BudgetExceeded(own.get(subject), budget if subject in own else None, left)
    return left


def excess(parameters: sql.Parameters) -> list[tuple[UUID, Decimal, Decimal, Decimal]]:
    """Of the budgets that a call exceeds, the one with the least left: a row (subject, budget, spent, held) or none."""
    if not distribution.is_distributed():
        return sql.rows(ADMITTED, parameters)
    budget = sql.rows(KEY_BUDGET, {"key": parameters["key"]}) if parameters["key"] else []
    return sql.rows(ADMITTED_THERE, {**parameters, "key_budget": budget[0][0] if budget else None})


def count(hold: Hold, amount: Decimal, *, month: date, now: datetime) -> None:
    """Count the captured amount of a hold in the budgets of its key and of every node above it, and announce crossings.
    Call it after the posting, under the lock.
    """
    organization = hold.organization
    _add(organization, organization.path, hold.key_id, amount, month, now)


def give_back(
    organization: Organization, key: UUID | None, amount: Decimal, *, month: date, seq: int, now: datetime
) -> None:
    """Undo what the payer's entry `seq` counted in `month`, for the key and for the nodes that were above the
    organization at that time. Call it after the posting, under the lock.
    """
    organization = Organization.objects.get(pk=organization.pk)
    _add(organization, moves.path_at(organization, seq), key, -amount, month, now)


def _add(
    organization: Organization, path: list[UUID], key: UUID | None, amount: Decimal, month: date, now: datetime
) -> None:
    sql.require_transaction()
    account = organization.root_id
    subjects = sorted({*path, *([key] if key else [])})
    sql.rows(COUNT, {"account": account, "month": month, "amount": amount, "subjects": subjects})
    moved_away = [(node, None) for node in path if node not in organization.path]
    alerts.check([account], now, [(organization.pk, key), *moved_away])


@transaction.atomic
def limit(organization: Organization, monthly_budget: Decimal | None, *, now: datetime) -> Organization:
    """Set or remove the budget of an organization. Concurrent admissions happen entirely before or after it."""
    payer = organization.root_id
    posting.lock([payer], now)
    row = Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    Organization.objects.filter(pk=organization.pk).update(monthly_budget=monthly_budget)
    before, after = {"monthly_budget": row.monthly_budget}, {"monthly_budget": monthly_budget}
    events.record_change(row.pk, "organization.changed", before, after, now, targets=[row.public_id])
    alerts.check([payer], now, [(organization.pk, None)])
    alerts.end(now, payer)
    return Organization.objects.get(pk=organization.pk)
