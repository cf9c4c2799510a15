"""Freezes what was used in a month that is being closed, under the payer's lock.

The month's own usage comes from the rollups. Whatever they don't say is added from the events: late ones, and those
that were voided after the month had ended. Such a void is a correction of the month in which it was made.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import Any
from uuid import UUID

from accounts.lib import quarters, sql
from billing.ledger.billing_zone import BillingZone
from usage.models import MonthClose
from usage.storage.month_balances import ALWAYS

SUMS = "count(*), count(*) FILTER (WHERE e.failed), sum(e.quantity), sum(e.credits)"

# Events that are billed in the month, beside those that the rollups have in it.
BESIDE_ROLLUPS = sql.compose(
    """
SELECT e.organization_id, e.meter_id, {bucket} AS bucket, {sums}
  FROM usage_event e
 WHERE e.account_id = %(account)s AND e.billed_in = %(month)s AND e.environment = 'live'
   AND NOT EXISTS (SELECT FROM usage_eventvoid v WHERE (v.account_id, v.organization_id, v.event_id, v.recorded_at)
                   = (e.account_id, e.organization_id, e.id, e.recorded_at) AND v.created_at < %(end)s)
 GROUP BY 1, 2, 3
 UNION ALL
SELECT e.organization_id, e.meter_id, {bucket}, {sums}
  FROM usage_eventvoid v JOIN usage_event e
    ON (e.account_id, e.organization_id, e.id, e.recorded_at)
     = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
 WHERE v.account_id = %(account)s AND v.created_at >= %(end)s
   AND e.billed_in IS NULL AND e.occurred_at >= %(since)s AND e.occurred_at < %(end)s AND e.environment = 'live'
 GROUP BY 1, 2, 3
""",
    bucket=quarters.sql_floor("e.occurred_at"),
    sums=SUMS,
)

# What was used before the first month that is closed, which is billed in it.
BEFORE = """
SELECT organization_id, meter_id, bucket, requests, failed, quantity, credits FROM usage_usagerollup
 WHERE account_id = %(account)s AND environment = 'live' AND bucket < %(start)s
"""

# The tree's organizations are named, since the index has them before the bucket.
FREEZE = """
INSERT INTO usage_monthlyusage (account_id, month, organization_id, meter_id, occurred_in, requests, failed, quantity,
                                credits)
SELECT %(account)s, %(month)s, organization_id, meter_id, occurred_in, sum(requests), sum(failed), sum(quantity),
       sum(credits)
  FROM (SELECT r.organization_id, r.meter_id, %(month)s::date AS occurred_in, r.requests, r.failed, r.quantity,
               r.credits
          FROM accounts_organization o
          JOIN usage_usagerollup r ON r.account_id = %(account)s AND r.organization_id = o.id
         WHERE o.root_id = %(account)s AND r.environment = 'live'
           AND r.bucket >= %(start)s AND r.bucket < %(end)s
         UNION ALL
        SELECT organization, meter, occurred_in, requests, failed, quantity, credits
          FROM json_to_recordset(%(others)s::json) AS other(organization uuid, meter bigint, occurred_in date,
               requests bigint, failed bigint, quantity numeric, credits numeric)) counted
 GROUP BY organization_id, meter_id, occurred_in HAVING sum(requests) > 0
 ORDER BY organization_id, meter_id, occurred_in
"""


def freeze(close: MonthClose, zone: BillingZone) -> None:
    """Write the month's `MonthlyUsage`, each event in the month in which it is billed."""
    sql.require_transaction()
    parameters = {
        "account": close.account_id,
        "month": close.month,
        "since": close.starts_at or ALWAYS,
        "start": close.starts_at or zone.bounds(close.month)[0],
        "end": close.ends_at,
    }
    others = sql.rows(BESIDE_ROLLUPS, parameters)
    if close.starts_at is None:
        others += sql.rows(BEFORE, parameters)
    sql.rows(FREEZE, {**parameters, "others": json.dumps(_by_month(others, zone), default=str)})


def _by_month(rows: Iterable[tuple[Any, ...]], zone: BillingZone) -> list[dict[str, Any]]:
    """The sums of organizations, meters and quarters of an hour as sums of months. Only Python knows those."""
    sums: defaultdict[tuple[UUID, int, date], list[Any]] = defaultdict(lambda: [0, 0, 0, 0])
    for organization, meter, bucket, *figures in rows:
        key = organization, meter, zone.month_of(bucket)
        sums[key] = [total + figure for total, figure in zip(sums[key], figures, strict=True)]
    names = ("organization", "meter", "occurred_in", "requests", "failed", "quantity", "credits")
    return [dict(zip(names, (*key, *figures), strict=True)) for key, figures in sums.items()]
