"""Alerts: a budget that is spent to 50, 80 or 100 %, or a balance below its threshold, when crossed and when recovered.

The last announcement is stored beside the figure, and the update that changes it expects the old value there. So each
crossing and each recovery is one event, no matter how many processes check, and how often.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import events
from accounts.lib import distribution, sql
from accounts.lib.months import month_of
from accounts.models import Organization
from apikeys.models import ApiKey
from billing.ledger import billing_zone
from billing.models import LedgerAccount

THRESHOLDS = (50, 80, 100)
EARLIEST, LATEST = timedelta(hours=-12), timedelta(hours=14)  # how far local clocks are off UTC
CHUNK = 1000

# The budgets that may have been crossed: those of the organizations, of every node above them, and of the keys. Each
# list is JSON, and each of its members is looked up separately (LATERAL … LIMIT 1). So PostgreSQL plans the statement
# once, whatever the length of the lists.
CAPS = """
cap AS MATERIALIZED (
    SELECT node.*, node.subject AS organization_id
      FROM (SELECT DISTINCT unnest(named.path) AS id
              FROM json_array_elements_text(%(organizations)s::json) AS spender
             CROSS JOIN LATERAL (SELECT path FROM accounts_organization WHERE id = spender::uuid LIMIT 1) named) above
     CROSS JOIN LATERAL (
           SELECT id AS subject, root_id, public_id, monthly_budget AS budget FROM accounts_organization
            WHERE id = above.id AND monthly_budget IS NOT NULL LIMIT 1) node
     UNION ALL
    SELECT key.subject, o.root_id, key.public_id, key.budget, o.id
      FROM json_array_elements_text(%(keys)s::json) AS spender
     CROSS JOIN LATERAL (
           SELECT id AS subject, organization_id, public_id, monthly_budget AS budget FROM apikeys_apikey
            WHERE id = spender::uuid AND monthly_budget IS NOT NULL LIMIT 1) key
     CROSS JOIN LATERAL (SELECT id, root_id FROM accounts_organization WHERE id = key.organization_id LIMIT 1) o)"""

# Payers whose balance is low but was not announced as low, or the other way round.
BALANCES = """
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM json_array_elements_text(%(accounts)s::json) AS payer
 CROSS JOIN LATERAL (
       SELECT * FROM billing_ledgeraccount
        WHERE organization_id = payer::uuid AND is_low <> coalesce(balance < low_balance, false) LIMIT 1) a
 CROSS JOIN LATERAL (SELECT * FROM accounts_organization WHERE id = a.organization_id LIMIT 1) r"""

# The threshold that is reached.
LEVEL = """
SELECT CASE WHEN s.spent <= 0 THEN 0 WHEN s.spent >= cap.budget THEN 100 WHEN s.spent >= cap.budget * 0.8 THEN 80
            WHEN s.spent >= cap.budget * 0.5 THEN 50 ELSE 0 END AS now"""

# Caps whose spending has reached another threshold than was announced, in a month that may be the current one.
BUDGETS = sql.compose(
    """
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM cap
 CROSS JOIN LATERAL (SELECT id, timezone FROM accounts_organization WHERE id = cap.root_id LIMIT 1) r
 CROSS JOIN LATERAL (SELECT zones FROM billing_ledgeraccount WHERE organization_id = r.id LIMIT 1) a
 CROSS JOIN LATERAL (
       SELECT * FROM billing_spending WHERE account_id = r.id AND subject = cap.subject
          AND month BETWEEN %(earliest)s AND %(latest)s LIMIT 2) s
 CROSS JOIN LATERAL ({level}) level
 WHERE s.alerted <> level.now""",
    level=LEVEL,
)

DIFFERENT = sql.compose("WITH {caps}{balances} UNION ALL {budgets}", caps=CAPS, balances=BALANCES, budgets=BUDGETS)

# The same for one payer, if the tables are distributed: its machine has no keys, so the caps are found beforehand.
CAPS_ALONE = sql.compose("WITH {caps} SELECT root_id, subject, public_id, budget, organization_id FROM cap", caps=CAPS)
BALANCE_OF_ONE = """
SELECT NULL::uuid, r.id, r.id, r.public_id, r.timezone, a.zones, a.low_balance, NULL::date, a.balance, a.is_low::int,
       (NOT a.is_low)::int
  FROM billing_ledgeraccount a JOIN accounts_organization r ON r.id = a.organization_id
 WHERE a.organization_id = %(account)s AND %(watched)s AND a.is_low <> coalesce(a.balance < a.low_balance, false)"""
BUDGETS_OF_ONE = sql.compose(
    """
SELECT s.subject, r.id, cap.organization_id, cap.public_id, r.timezone, a.zones, cap.budget, s.month, s.spent,
       s.alerted, level.now
  FROM billing_spending s
  JOIN billing_ledgeraccount a ON a.organization_id = s.account_id
  JOIN accounts_organization r ON r.id = s.account_id
  JOIN json_to_recordset(%(caps)s::json) AS cap(subject uuid, public_id text, budget numeric, organization_id uuid)
    ON cap.subject = s.subject
 CROSS JOIN LATERAL ({level}) level
 WHERE s.account_id = %(account)s AND s.month BETWEEN %(earliest)s AND %(latest)s AND s.alerted <> level.now""",
    level=LEVEL,
)
DIFFERENT_OF_ONE = sql.compose("{balance} UNION ALL {budgets}", balance=BALANCE_OF_ONE, budgets=BUDGETS_OF_ONE)

# Announcements that may be over: the month is past, or the budget was removed.
ANNOUNCED = """
SELECT s.subject, s.account_id, o.id, coalesce(k.public_id, o.public_id), r.timezone, a.zones,
       CASE WHEN k.id IS NULL THEN o.monthly_budget ELSE k.monthly_budget END, s.month, s.spent, s.alerted, 0
  FROM billing_spending s
  LEFT JOIN apikeys_apikey k ON k.id = s.subject
  JOIN accounts_organization o ON o.id = coalesce(k.organization_id, s.subject)
  JOIN accounts_organization r ON r.id = s.account_id
  JOIN billing_ledgeraccount a ON a.organization_id = s.account_id
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
    """Something to announce: `figure` of `bound` in `month` was announced at the threshold `before`, and is at `after`.

    Thresholds are percents of a budget. Without a month, it is the balance of `account`: 1 means that it is low.
    """

    subject: UUID | None
    account: UUID
    organization: UUID
    public_id: str
    timezone: str
    zones: str
    bound: Decimal | None
    month: date | None
    figure: Decimal
    before: int
    after: int

    def month_at(self, now: datetime) -> date:
        return billing_zone.parse(self.timezone, self.zones).month_of(now)

    def announce(self, now: datetime) -> None:
        """Record the events, unless somebody else has announced it meanwhile."""
        expected = {"account": self.account, "before": self.before, "after": self.after}
        if self.month is None:
            if sql.rows(LOW, expected):
                self._announce_balance(now)
        elif sql.rows(ALERTED, {"subject": self.subject, "month": self.month, **expected}):
            self._announce_budget(self.month, now)

    def _announce_balance(self, now: datetime) -> None:
        data = {"balance": self.figure, "low_balance": self.bound}
        self._record("credits.low" if self.after else "credits.recovered", data, now)

    def _announce_budget(self, month: date, now: datetime) -> None:
        data: dict[str, Any] = {"subject": self.public_id, "monthly_budget": self.bound}
        data |= {"month": f"{month:%Y-%m}", "spent": self.figure}
        if self.after > self.before:
            for threshold in (level for level in THRESHOLDS if self.before < level <= self.after):
                self._record("budget.crossed", {**data, "threshold": threshold}, now)
        else:
            for threshold in (level for level in THRESHOLDS[::-1] if self.after < level <= self.before):
                self._record("budget.recovered", {**data, "threshold": threshold}, now)

    def _record(self, type: str, data: dict[str, Any], now: datetime) -> None:
        events.record(self.organization, type, data, now, actor=events.SYSTEM, targets=[self.public_id])


def check(accounts: Iterable[UUID], now: datetime, spenders: Collection[Spender] = ()) -> None:
    """Announce crossings and recoveries of these payers' balances, and of the budgets of the spenders and every node
    above them. Call it after a posting, in its transaction, under the payers' lock.
    """
    sql.require_transaction()
    for change in _different(accounts, spenders, now):
        change.announce(now)


def end(now: datetime, account: UUID | None = None) -> None:
    """Announce the recovery of budgets whose month is past, or that were removed: for one payer, or for all, each in
    its own transaction.
    """
    for change in (_Change(*row) for row in sql.rows(ANNOUNCED, {"account": account})):
        if change.bound is None or (change.month and change.month < change.month_at(now)):
            with transaction.atomic():
                change.announce(now)


def sweep(now: datetime) -> None:
    """Announce what changed without a check: a month that ended, a key's new budget, usage that was debited outside of
    a batch.

    Only accounts and budgets that can be announced are looked at. Only payers with something to announce are locked,
    each by itself.
    """
    end(now)
    watched = LedgerAccount.objects.filter(Q(low_balance__isnull=False) | Q(is_low=True))
    nodes = Organization.objects.filter(monthly_budget__isnull=False).values_list("pk", flat=True)
    keys = ApiKey.objects.filter(monthly_budget__isnull=False, organization__isnull=False)
    accounts = list(watched.values_list("pk", flat=True))
    spenders: list[Spender] = [(node, None) for node in nodes] + list(keys.values_list("organization_id", "pk"))
    for start in range(0, max(len(accounts), len(spenders)), CHUNK):
        _check_locked(accounts[start : start + CHUNK], spenders[start : start + CHUNK], now)


def _check_locked(accounts: Collection[UUID], spenders: Collection[Spender], now: datetime) -> None:
    """Check without a lock, and check again under the lock of each payer that has something to announce."""
    organizations: dict[UUID, set[UUID]] = {}
    for change in _different(accounts, spenders, now):
        organizations.setdefault(change.account, set()).add(change.organization)
    for account, concerned in organizations.items():
        with transaction.atomic():
            LedgerAccount.objects.select_for_update(no_key=True).get(pk=account)
            check([account], now, [spender for spender in spenders if spender[0] in concerned])


def _different(accounts: Iterable[UUID], spenders: Collection[Spender], now: datetime) -> list[_Change]:
    """What differs from what was announced. Months are compared here, since PostgreSQL may not know a time zone."""
    parameters = {
        "organizations": _json({organization for organization, _ in spenders}),
        "keys": _json(key for _, key in spenders if key),
    }
    months = {"earliest": month_of(now + EARLIEST), "latest": month_of(now + LATEST)}
    if distribution.is_distributed():
        rows = _different_of_each(set(accounts), parameters, months)
    else:
        rows = sql.rows(DIFFERENT, {"accounts": _json(accounts), **parameters, **months})
    changes = [_Change(*row) for row in rows]
    return [change for change in changes if change.month in (None, change.month_at(now))]


def _different_of_each(
    accounts: Collection[UUID], spenders: sql.Parameters, months: sql.Parameters
) -> list[tuple[Any, ...]]:
    """The rows of `DIFFERENT`, payer by payer."""
    caps: defaultdict[UUID, list[dict[str, Any]]] = defaultdict(list)
    for payer, *cap in sql.rows(CAPS_ALONE, spenders):
        caps[payer].append(dict(zip(("subject", "public_id", "budget", "organization_id"), cap, strict=True)))
    rows = []
    for payer in sorted({*accounts, *caps}):
        of_payer = {"account": payer, "watched": payer in accounts, "caps": json.dumps(caps[payer], default=str)}
        rows += sql.rows(DIFFERENT_OF_ONE, {**of_payer, **months})
    return rows


def _json(ids: Iterable[UUID]) -> str:
    return json.dumps([id.hex for id in ids])
