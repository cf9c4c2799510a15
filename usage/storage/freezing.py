"""Freezes what was used in months that are being closed, under the payers' locks.

A month's own usage comes from the rollups. Whatever they don't say is added from the events: late ones, and those that
were voided after the month had ended. Such a void is a correction of the month in which it was made.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any
from uuid import UUID

from accounts.lib import distribution, instances, quarters, sql
from billing.ledger.billing_zone import BillingZone
from usage.models import MonthlyUsage
from usage.storage import ended_months

SUMS = "count(*), count(*) FILTER (WHERE e.failed), sum(e.quantity), sum(e.credits)"

# Events that are billed in the months, beside those that the rollups have in them. And what was used before the first
# month that is closed of a payer, which is billed in it. The trees' organizations are named where rollups are read,
# since the index has them before the bucket.
BESIDE_ROLLUPS = """
SELECT m.account_id, m.month, e.organization_id, e.meter_id, {bucket}, {sums}
  FROM {months} JOIN usage_event e ON e.account_id = m.account_id AND e.billed_in = m.month
 WHERE e.environment = 'live'
   AND NOT EXISTS (SELECT FROM usage_eventvoid v WHERE (v.account_id, v.organization_id, v.event_id, v.recorded_at)
                   = (e.account_id, e.organization_id, e.id, e.recorded_at) AND v.created_at < m.ends_at)
 GROUP BY 1, 2, 3, 4, 5
 UNION ALL
SELECT m.account_id, m.month, e.organization_id, e.meter_id, {bucket}, {sums}
  FROM {months}
  JOIN usage_eventvoid v ON v.account_id = m.account_id AND v.created_at >= m.ends_at
  JOIN usage_event e ON (e.account_id, e.organization_id, e.id, e.recorded_at)
                      = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
 WHERE e.billed_in IS NULL AND e.occurred_at >= m.since AND e.occurred_at < m.ends_at AND e.environment = 'live'
 GROUP BY 1, 2, 3, 4, 5
 UNION ALL
SELECT m.account_id, m.month, r.organization_id, r.meter_id, r.bucket, r.requests, r.failed, r.quantity, r.credits
  FROM {months}
  JOIN accounts_organization o ON o.root_id = m.account_id
  JOIN usage_usagerollup r ON r.account_id = m.account_id AND r.organization_id = o.id AND r.bucket < m.starts_at
 WHERE m.since < m.starts_at AND r.environment = 'live'
"""

FREEZE = """
INSERT INTO usage_monthlyusage (account_id, month, organization_id, meter_id, occurred_in, requests, failed, quantity,
                                credits)
SELECT account_id, month, organization_id, meter_id, occurred_in, sum(requests), sum(failed), sum(quantity),
       sum(credits)
  FROM (SELECT m.account_id, m.month, r.organization_id, r.meter_id, m.month AS occurred_in, r.requests, r.failed,
               r.quantity, r.credits
          FROM {months}
          JOIN accounts_organization o ON o.root_id = m.account_id
          JOIN usage_usagerollup r ON r.account_id = m.account_id AND r.organization_id = o.id
           AND r.bucket >= m.starts_at AND r.bucket < m.ends_at
         WHERE r.environment = 'live'
         UNION ALL
        SELECT account, month, organization, meter, occurred_in, requests, failed, quantity, credits
          FROM json_to_recordset(%(others)s::json) AS other(account uuid, month date, organization uuid, meter bigint,
               occurred_in date, requests bigint, failed bigint, quantity numeric, credits numeric)) counted
 GROUP BY account_id, month, organization_id, meter_id, occurred_in HAVING sum(requests) > 0
 ORDER BY account_id, month, organization_id, meter_id, occurred_in
RETURNING {columns}
"""


def _statements(months: str) -> tuple[str, str]:
    bucket = quarters.sql_floor("e.occurred_at")
    beside = sql.compose(BESIDE_ROLLUPS, bucket=bucket, sums=SUMS, months=months)
    return beside, sql.compose(FREEZE, months=months, columns=instances.columns(MonthlyUsage, "usage_monthlyusage"))


OF_SEVERAL = _statements(ended_months.MONTHS)
OF_ONE = _statements(ended_months.MONTH_OF_ONE)


def freeze(parameters: sql.Parameters, zones: Mapping[UUID, BillingZone]) -> list[MonthlyUsage]:
    """Write what was used in the months of `ended_months.parameters`, each event in the month in which it is billed."""
    sql.require_transaction()
    beside_rollups, freeze = OF_ONE if distribution.is_distributed() else OF_SEVERAL
    others = _by_month(sql.rows(beside_rollups, parameters), zones)
    frozen = instances.read(freeze, {**parameters, "others": json.dumps(others, default=str)}, MonthlyUsage)
    return [row for (row,) in frozen]


def _by_month(rows: Iterable[tuple[Any, ...]], zones: Mapping[UUID, BillingZone]) -> list[dict[str, Any]]:
    """The sums of quarters of an hour as sums of the months in which they lie. Only Python knows those."""
    sums: defaultdict[tuple[UUID, date, UUID, int, date], list[Any]] = defaultdict(lambda: [0, 0, 0, 0])
    for account, month, organization, meter, bucket, *figures in rows:
        key = account, month, organization, meter, zones[account].month_of(bucket)
        sums[key] = [total + figure for total, figure in zip(sums[key], figures, strict=True)]
    names = ("account", "month", "organization", "meter", "occurred_in", "requests", "failed", "quantity", "credits")
    return [dict(zip(names, (*key, *figures), strict=True)) for key, figures in sums.items()]
