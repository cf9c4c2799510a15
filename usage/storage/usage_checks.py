"""Checks of events, rollups, volumes and spending.

Each statement selects what is wrong: the organization's id, and a sentence with both sides. Retired usage can no longer
be proved by its events: rollups from before the horizon must have at least what is left of them. The parameters are
those of `payer_months` and `places`.
"""

from accounts.lib import quarters, sql
from usage.storage import spending
from usage.storage.spending import HORIZON, IN_MONTH, IS_BENEATH, IS_WHOLE, NOT_VOIDED

# The months of arrival whose events are missing.
RETIRED = "(SELECT month FROM usage_retiredpartition)"

# An entry is dated when it is written, its events when their request came. The difference is the time that the request
# waited for the payer's lock, which is never near an hour. So an entry from up to an hour after the horizon may have
# retired events too: then those that are left must not come to more than it.
ENTRIES = sql.compose(
    """
SELECT coalesce(e.account_id, u.account_id), format('entry %s debits %s, its events %s', coalesce(e.seq, u.entry_seq),
                                                    -coalesce(e.amount, 0), coalesce(u.total, 0))
  FROM (SELECT account_id, seq, amount, created_at FROM billing_ledgerentry WHERE kind = 'usage') e
  FULL JOIN (SELECT account_id, entry_seq, sum(credits) AS total, min(recorded_at) AS recorded_at
               FROM usage_event WHERE credits <> 0 GROUP BY 1, 2) u
    ON u.account_id = e.account_id AND u.entry_seq = e.seq
 WHERE -coalesce(e.amount, 0) <> coalesce(u.total, 0)
   AND (coalesce(e.created_at, u.recorded_at) >= {horizon} + interval '1 hour'
        OR coalesce(u.total, 0) > -coalesce(e.amount, 0))
""",
    horizon=HORIZON,
)

VOIDS = sql.compose(
    """
SELECT coalesce(v.organization_id, a.account_id), format('event %s was charged %s, its void gave back %s',
                                                         coalesce(v.event_id, a.event_id), e.credits, a.amount)
  FROM usage_eventvoid v
  FULL JOIN (SELECT account_id, seq, amount, metadata ->> 'voided_event' AS event_id FROM billing_ledgerentry
              WHERE kind = 'adjustment' AND metadata ->> 'voided_event' IS NOT NULL) a
    ON a.account_id = v.account_id AND a.seq = v.entry_seq AND a.event_id = v.event_id
  LEFT JOIN usage_event e
    ON (e.account_id, e.organization_id, e.id, e.recorded_at)
     = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
 WHERE v.event_id IS NULL OR (v.entry_seq IS NULL) <> (a.seq IS NULL) OR e.credits <> coalesce(a.amount, 0)
    OR e.id IS NULL AND date_trunc('month', v.recorded_at AT TIME ZONE 'UTC') NOT IN {retired}
""",
    retired=RETIRED,
)

# What the events that were not voided add up to, in the columns of a rollup.
SUMMED_EVENTS = """
    SELECT organization_id, account_id, {bucket} AS bucket, meter_id, key_id, environment, {endpoint} AS endpoint,
           count(*) AS requests, count(*) FILTER (WHERE failed) AS failed, sum(quantity) AS quantity,
           sum(credits) AS credits
      FROM usage_event e WHERE {not_voided}
     GROUP BY 1, 2, 3, 4, 5, 6, 7"""

# A rollup of zeros counts as none.
ROLLUP = """
SELECT coalesce(r.organization_id, e.organization_id),
       format('%s %s: %s requests, %s failed, %s units, %s credits; events %s, %s, %s, %s',
              coalesce(r.bucket, e.bucket), coalesce(r.endpoint, e.endpoint), r.requests, r.failed, r.quantity,
              r.credits, e.requests, e.failed, e.quantity, e.credits)
  FROM (SELECT organization_id, account_id, bucket, meter_id, key_id, environment, {endpoint} AS endpoint,
               requests, failed, quantity, credits
          FROM {rollup} WHERE (requests, failed, quantity, credits) <> (0, 0, 0, 0)) r
  FULL JOIN ({events}) e
    ON (e.organization_id, e.account_id, e.bucket, e.meter_id, e.environment, e.endpoint)
     = (r.organization_id, r.account_id, r.bucket, r.meter_id, r.environment, r.endpoint)
   AND coalesce(e.key_id::text, '') = coalesce(r.key_id::text, '')
 WHERE (r.requests, r.failed, r.quantity, r.credits) IS DISTINCT FROM (e.requests, e.failed, e.quantity, e.credits)
   AND (coalesce(r.bucket, e.bucket) >= {horizon} OR r.requests IS NULL OR r.requests < e.requests
        OR r.failed < e.failed OR r.quantity < e.quantity OR r.credits < e.credits)
"""


def _rollup(table: str, endpoint: str) -> str:
    bucket = quarters.sql_floor("occurred_at")
    events = sql.compose(SUMMED_EVENTS, bucket=bucket, endpoint=endpoint, not_voided=NOT_VOIDED)
    return sql.compose(ROLLUP, rollup=table, endpoint=endpoint, events=events, horizon=HORIZON)


BOTH_ROLLUPS = sql.compose(
    """
SELECT organization_id, format('%s: by endpoint %s requests, %s failed, %s units, %s credits more', bucket,
                               sum(requests), sum(failed), sum(quantity), sum(credits))
  FROM (SELECT organization_id, bucket, meter_id, key_id, requests, failed, quantity, credits
          FROM usage_endpointrollup
         UNION ALL
        SELECT organization_id, bucket, meter_id, key_id, -requests, -failed, -quantity, -credits
          FROM usage_usagerollup) both_rollups
 WHERE bucket < {horizon} GROUP BY organization_id, bucket, meter_id, key_id
HAVING (sum(requests), sum(failed), sum(quantity), sum(credits)) <> (0, 0, 0, 0)
""",
    horizon=HORIZON,
)

VOLUMES = sql.compose(
    """
SELECT account_id, format('meter %s in %s: %s requests, %s units; rollups %s, %s', meter_id, to_char(month, 'YYYY-MM'),
                          v.requests, v.quantity, r.requests, r.quantity)
  FROM usage_volume v
  FULL JOIN (SELECT counted.account_id, meter_id, month, sum(requests) AS requests, sum(quantity) AS quantity
               FROM (SELECT account_id, bucket AS moment, meter_id, requests, quantity
                       FROM usage_usagerollup WHERE environment = 'live') counted {in_month}
              GROUP BY 1, 2, 3) r USING (account_id, meter_id, month)
 WHERE coalesce(v.requests, 0) <> coalesce(r.requests, 0) OR coalesce(v.quantity, 0) <> coalesce(r.quantity, 0)
    OR v.requests < 0 OR v.quantity < 0
""",
    in_month=IN_MONTH,
)

SPENT = """
SELECT account_id, format('%s spent %s in %s; usage and captures %s', coalesce(k.public_id, n.public_id),
                          coalesce(s.spent, 0), to_char(month, 'YYYY-MM'), coalesce(u.used, 0))
  FROM (SELECT account_id, subject, month, spent FROM billing_spending WHERE {subjects}) s
  FULL JOIN (SELECT account_id, subject, month, sum(credits) AS used FROM ({used}) used GROUP BY 1, 2, 3) u
      USING (account_id, subject, month)
  LEFT JOIN apikeys_apikey k ON k.id = subject
  LEFT JOIN accounts_organization n ON n.id = subject
 WHERE coalesce(s.spent, 0) <> coalesce(u.used, 0) OR s.spent < 0
"""

SPENT_BY_PAYERS_AND_KEYS = sql.compose(
    SPENT, subjects=f"NOT ({IS_BENEATH})", used=spending.by_payers_and_keys(spending.ALL_PAYERS)
)
SPENT_BENEATH = sql.compose(SPENT, subjects=f"{IS_BENEATH} AND {IS_WHOLE}", used=spending.beneath(spending.ALL_PAYERS))

CHECKS = {
    "each usage entry is the sum of the events that name it": ENTRIES,
    "each void's adjustment is what its event was charged": VOIDS,
    "each rollup is the sum of its events": _rollup("usage_usagerollup", "''"),
    "each rollup by endpoint is the sum of its events": _rollup("usage_endpointrollup", "endpoint"),
    "the rollups by endpoint add up to the others where events are retired": BOTH_ROLLUPS,
    "each volume is the sum of its month's rollups": VOLUMES,
    "what a payer and a key spent in a month is their usage and their captures": SPENT_BY_PAYERS_AND_KEYS,
    "what an organization spent in a month is what stood beneath it used": SPENT_BENEATH,
}
