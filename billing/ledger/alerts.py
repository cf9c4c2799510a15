"""Alerts: a budget that is spent to 50, 80 or 100 %, and a balance below what its owner named, crossed and recovered.

What was announced last is remembered beside what it is about, and changed by an update that expects it there: so each
crossing and each recovery is one event, whoever looks, and however often.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import events
from accounts.lib import sql
from accounts.lib.months import month_of
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import LedgerAccount

THRESHOLDS = (50, 80, 100)
EARLIEST, LATEST = timedelta(hours=-12), timedelta(hours=14)  # that clocks are off UTC
CHUNK = 1000

# What differs from what was announced: balances of the payers, and budgets of the keys and of every node above the
# organizations, in a month that may be the present one. Each list is JSON, and each of its members is looked up by
# itself: a statement that does so is planned once, whatever their number.
DIFFERENT = """
WITH cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text(%(organizations)s::json) AS one
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = one::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text(%(keys)s::json) AS one
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = one::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text(%(accounts)s::json) AS one
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = one::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r
 UNION ALL
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, cap.budget, s.month, s.spent, s.alerted,
       level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN %(earliest)s AND %(latest)s LIMIT 2) s
 CROSS JOIN LATERAL (
       SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
                   WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now) level
 WHERE s.alerted <> level.now
"""

# What was announced and is over: a month that is past, or a budget that was taken away.
OVER = """
SELECT s.subject, s.account_id, o.id, coalesce(k.public_id, o.public_id), r.timezone,
       CASE WHEN k.id IS NULL THEN o.monthly_budget ELSE k.monthly_budget END, s.month, s.spent, s.alerted, 0
  FROM billing_spending s
  LEFT JOIN apikeys_apikey k ON k.id = s.subject
  JOIN accounts_organization o ON o.id = coalesce(k.organization_id, s.subject)
  JOIN accounts_organization r ON r.id = o.root_id
 WHERE s.alerted > 0 AND (%(account)s::uuid IS NULL OR s.account_id = %(account)s::uuid)
"""

ALERTED = """
UPDATE billing_spending SET alerted = %(after)s
 WHERE account_id = %(account)s AND subject = %(subject)s AND month = %(month)s AND alerted = %(before)s
RETURNING subject
"""

LOW = """
UPDATE billing_ledgeraccount SET is_low = (%(after)s = 1)
 WHERE organization_id = %(account)s AND is_low = (%(before)s = 1) RETURNING organization_id
"""

Spender = tuple[UUID, UUID | None]  # an organization, and the key that was used


@dataclass(frozen=True)
class _Change:
    """How far a budget was announced as spent, in percent, and how far it is: `figure` of `bound`, in `month`.

    Without a month, it is the balance of `account`, 1 where it is low.
    """

    subject: UUID | None
    account: UUID
    organization: UUID
    public_id: str
    timezone: str
    bound: Decimal | None
    month: date | None
    figure: Decimal
    before: int
    after: int

    def announce(self, now: datetime) -> None:
        """Nothing, where it was announced meanwhile."""
        said = {"account": self.account, "before": self.before, "after": self.after}
        if self.month is None:
            if sql.rows(LOW, said):
                self._announce_balance(now)
        elif sql.rows(ALERTED, {"subject": self.subject, "month": self.month, **said}):
            self._announce_budget(self.month, now)

    def _announce_balance(self, now: datetime) -> None:
        about = {"balance": self.figure, "low_balance": self.bound}
        events.record(self.organization, "credits.low" if self.after else "credits.recovered", about, now)

    def _announce_budget(self, month: date, now: datetime) -> None:
        about: dict[str, Any] = {"subject": self.public_id, "monthly_budget": self.bound}
        about |= {"month": f"{month:%Y-%m}", "spent": self.figure}
        if self.after > self.before:
            for threshold in (one for one in THRESHOLDS if self.before < one <= self.after):
                events.record(self.organization, "budget.crossed", {**about, "threshold": threshold}, now)
        else:
            for threshold in (one for one in THRESHOLDS[::-1] if self.after < one <= self.before):
                events.record(self.organization, "budget.recovered", {**about, "threshold": threshold}, now)


def check(accounts: Iterable[UUID], now: datetime, spenders: Collection[Spender] = ()) -> None:
    """Announce what these payers crossed, or recovered from: by their balance, and by the budgets of the spenders and
    of every node above them. After a posting, in its transaction, under the payers' lock."""
    for change in _different(accounts, spenders, now):
        change.announce(now)


def end(now: datetime, account: UUID | None = None) -> None:
    """Recover from what was announced of a month that is past, or of a budget that was taken away: of one payer, or of
    all, each in a transaction of its own."""
    for change in (_Change(*row) for row in sql.rows(OVER, {"account": account})):
        if change.bound is None or (change.month and change.month < month_of(now, change.timezone)):
            with transaction.atomic():
                change.announce(now)


def sweep(now: datetime) -> None:
    """Announce what changed without a check: the month, the budget of a key, usage that was debited outside of a batch.

    Only what is watched is looked at, and only a payer with something to announce is locked, each for itself.
    """
    end(now)
    low = LedgerAccount.objects.filter(Q(low_balance__isnull=False) | Q(is_low=True))
    nodes = Organization.objects.filter(monthly_budget__isnull=False).values_list("pk", flat=True)
    keys = ApiKey.objects.filter(monthly_budget__isnull=False, organization__isnull=False)
    accounts = list(low.values_list("pk", flat=True))
    spenders: list[Spender] = [(node, None) for node in nodes] + list(keys.values_list("organization_id", "pk"))
    for start in range(0, max(len(accounts), len(spenders)), CHUNK):
        _check_locked(accounts[start : start + CHUNK], spenders[start : start + CHUNK], now)


def _check_locked(accounts: Collection[UUID], spenders: Collection[Spender], now: datetime) -> None:
    """Look without a lock, and again under the lock of each payer that has something to announce."""
    concerned: dict[UUID, set[UUID]] = {}
    for change in _different(accounts, spenders, now):
        concerned.setdefault(change.account, set()).add(change.organization)
    for account, organizations in concerned.items():
        with transaction.atomic():
            LedgerAccount.objects.select_for_update(no_key=True).get(pk=account)
            check([account], now, [one for one in spenders if one[0] in organizations])


def _different(accounts: Iterable[UUID], spenders: Collection[Spender], now: datetime) -> list[_Change]:
    """The month of each payer is told here: PostgreSQL may not know its time zone."""
    asked = {
        "accounts": _json(accounts),
        "organizations": _json({organization for organization, _ in spenders}),
        "keys": _json(key for _, key in spenders if key),
        "earliest": month_of(now + EARLIEST, "UTC"),
        "latest": month_of(now + LATEST, "UTC"),
    }
    found = [_Change(*row) for row in sql.rows(DIFFERENT, asked)]
    return [one for one in found if one.month in (None, month_of(now, one.timezone))]


def _json(ids: Iterable[UUID]) -> str:
    return json.dumps([id.hex for id in ids])
