"""Alerts: a budget that is spent to 50, 80 or 100 %, and a balance below what its owner named, crossed and recovered.

What was announced last is remembered beside what it is about, and changed in the statement that finds the difference:
so each crossing and each recovery is one event, whoever looks, and however often.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from accounts import events, sql
from accounts.models import Organization
from billing.budgets import month_of
from billing.models import LedgerAccount
from billing.money import plain

THRESHOLDS = (50, 80, 100)

LOW = """
UPDATE billing_ledgeraccount a SET is_low = coalesce(a.balance < a.low_balance, false)
 WHERE a.organization_id = ANY(%(accounts)s::uuid[]) AND a.is_low <> coalesce(a.balance < a.low_balance, false)
RETURNING a.organization_id, a.is_low, a.balance, a.low_balance
"""

# A month that is past is recovered from, and so is a budget that was taken away.
BUDGETS = """
WITH payer AS (SELECT * FROM unnest(%(accounts)s::uuid[], %(months)s::date[]) AS payer(id, month)),
cap AS (
    SELECT o.id AS subject, o.id AS organization_id, o.public_id, o.monthly_budget AS budget, payer.month
      FROM payer JOIN accounts_organization o ON o.root_id = payer.id WHERE o.monthly_budget IS NOT NULL
     UNION ALL
    SELECT k.id, o.id, k.public_id, k.monthly_budget, payer.month
      FROM payer JOIN accounts_organization o ON o.root_id = payer.id JOIN apikeys_apikey k ON k.organization_id = o.id
     WHERE k.monthly_budget IS NOT NULL),
level AS (
    SELECT s.id, cap.organization_id, cap.public_id, cap.budget, s.month, s.spent, s.alerted AS before,
           CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS after
      FROM cap JOIN billing_spending s ON s.subject = cap.subject AND s.month = cap.month)
UPDATE billing_spending s SET alerted = level.after FROM level
 WHERE s.id = level.id AND s.alerted <> level.after
RETURNING level.organization_id, level.public_id, level.budget, level.month, level.spent, level.before, level.after
"""

PAST = """
WITH past AS (
    SELECT s.id, s.alerted, coalesce(o.id, k.organization_id) AS organization_id,
           coalesce(o.public_id, k.public_id) AS public_id, coalesce(o.monthly_budget, k.monthly_budget) AS budget
      FROM billing_spending s
      LEFT JOIN accounts_organization o ON o.id = s.subject LEFT JOIN apikeys_apikey k ON k.id = s.subject
     WHERE s.alerted > 0 AND s.account_id = %(account)s
       AND (s.month < %(month)s OR coalesce(o.monthly_budget, k.monthly_budget) IS NULL))
UPDATE billing_spending s SET alerted = 0 FROM past WHERE s.id = past.id AND s.alerted = past.alerted
RETURNING past.organization_id, past.public_id, past.budget, s.month, s.spent, past.alerted, 0
"""


@dataclass(frozen=True)
class _Change:
    """How far a budget was announced as spent, in percent, and how far it is."""

    organization: UUID
    subject: str
    budget: Decimal | None
    month: date
    spent: Decimal
    before: int
    after: int

    def announce(self, now: datetime) -> None:
        low, high = sorted((self.before, self.after))
        name = "budget.crossed" if self.after > self.before else "budget.recovered"
        about = {
            "subject": self.subject,
            "monthly_budget": plain(self.budget) if self.budget is not None else None,
            "month": f"{self.month:%Y-%m}",
            "spent": plain(self.spent),
        }
        for threshold in (one for one in THRESHOLDS if low < one <= high):
            events.record(self.organization, name, {**about, "threshold": threshold}, now)


@transaction.atomic
def check(accounts: Iterable[UUID], now: datetime) -> None:
    """Announce what these payers crossed, or recovered from. After a posting, in its transaction."""
    zones = dict(Organization.objects.filter(pk__in=list(accounts)).values_list("pk", "timezone"))
    months = {account: month_of(now, zone) for account, zone in sorted(zones.items())}
    for account, is_low, balance, low_balance in sql.rows(LOW, {"accounts": list(months)}):
        about = {"balance": plain(balance), "low_balance": plain(low_balance) if low_balance is not None else None}
        events.record(account, "credits.low" if is_low else "credits.recovered", about, now)
    for row in sql.rows(BUDGETS, {"accounts": list(months), "months": list(months.values())}):
        _Change(*row).announce(now)


def sweep(now: datetime) -> None:
    """Look at every payer, each in a transaction of its own: at what changed without a posting, such as the month."""
    for account, zone in Organization.objects.filter(ledger_account__isnull=False).values_list("pk", "timezone"):
        with transaction.atomic():
            LedgerAccount.objects.select_for_update(no_key=True).get(pk=account)
            check([account], now)
            for row in sql.rows(PAST, {"account": account, "month": month_of(now, zone)}):
                _Change(*row).announce(now)
