"""Checks of closed months. Each statement selects what is wrong, as in `usage_checks`."""

from psycopg.sql import Literal

from accounts.lib import quarters, sql
from billing.payments import minor_units
from usage.storage.spending import HORIZON, IN_MONTH, NOT_VOIDED

DONE = "(SELECT * FROM usage_monthclose WHERE status = 'done')"

FOLLOW = sql.compose(
    """
SELECT account_id, format('%s begins at %s with %s, and the month before it ended at %s with %s',
                          to_char(month, 'YYYY-MM'), starts_at, opening, ended_at, closed_with)
  FROM (SELECT c.*, lag(month) OVER before AS month_before, lag(ends_at) OVER before AS ended_at,
               lag(closing, 1, 0) OVER before AS closed_with
          FROM {done} c WINDOW before AS (PARTITION BY account_id ORDER BY month)) followed
 WHERE starts_at IS DISTINCT FROM ended_at OR opening <> closed_with
    OR month <> (month_before + interval '1 month')::date
""",
    done=DONE,
)

MARK = sql.compose(
    """
SELECT a.organization_id, format('closed through %s, its last month ended at %s', a.closed_through, c.ends_at)
  FROM billing_ledgeraccount a
  LEFT JOIN (SELECT account_id, max(ends_at) AS ends_at FROM {done} done GROUP BY 1) c
    ON c.account_id = a.organization_id
 WHERE a.closed_through IS DISTINCT FROM c.ends_at
""",
    done=DONE,
)

# Where the events of a payer's month may be missing. It is the month of a close `c`.
IS_WHOLE = sql.compose("c.month > ({horizon} AT TIME ZONE 'UTC')::date", horizon=HORIZON)

# Whether what is `counted` (account_id, billed_in, moment) is billed in the month of a close `c`.
IS_BILLED = """
c.account_id = counted.account_id
   AND (counted.billed_in = c.month OR counted.billed_in IS NULL AND counted.moment < c.ends_at
                                   AND counted.moment >= coalesce(c.starts_at, '-infinity'))"""

VOIDED = """
usage_eventvoid v JOIN usage_event e ON (e.account_id, e.organization_id, e.id, e.recorded_at)
                                      = (v.account_id, v.organization_id, v.event_id, v.recorded_at)"""

# Live events, and as negative rows those that were voided.
COUNTED = sql.compose(
    """
    SELECT e.account_id, e.organization_id, e.meter_id, e.billed_in, {bucket} AS moment, NULL AS voided_at,
           count(*) AS requests, count(*) FILTER (WHERE e.failed) AS failed, sum(e.quantity) AS quantity,
           sum(e.credits) AS credits
      FROM usage_event e WHERE e.environment = 'live' GROUP BY 1, 2, 3, 4, 5
     UNION ALL
    SELECT e.account_id, e.organization_id, e.meter_id, e.billed_in, e.occurred_at, v.created_at,
           -1, -e.failed::int, -e.quantity, -e.credits
      FROM {voided} WHERE e.environment = 'live'""",
    bucket=quarters.sql_floor("e.occurred_at"),
    voided=VOIDED,
)

FROZEN = sql.compose(
    """
SELECT coalesce(f.organization_id, e.organization_id),
       format('meter %s in %s: %s requests, %s failed, %s units, %s credits; events %s, %s, %s, %s',
              coalesce(f.meter_id, e.meter_id), to_char(coalesce(f.month, e.month), 'YYYY-MM'), f.requests, f.failed,
              f.quantity, f.credits, e.requests, e.failed, e.quantity, e.credits)
  FROM (SELECT account_id, organization_id, meter_id, month, sum(requests) AS requests, sum(failed) AS failed,
               sum(quantity) AS quantity, sum(credits) AS credits FROM usage_monthlyusage GROUP BY 1, 2, 3, 4) f
  FULL JOIN (SELECT counted.account_id, organization_id, meter_id, c.month, sum(requests) AS requests,
                    sum(failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
               FROM ({counted}) counted JOIN {done} c ON {is_billed}
              WHERE coalesce(voided_at, '-infinity') < c.ends_at
              GROUP BY 1, 2, 3, 4 HAVING sum(requests) <> 0) e
    ON (f.account_id, f.organization_id, f.meter_id, f.month) = (e.account_id, e.organization_id, e.meter_id, e.month)
  JOIN {done} c ON c.account_id = coalesce(f.account_id, e.account_id) AND c.month = coalesce(f.month, e.month)
 WHERE (f.requests, f.failed, f.quantity, f.credits) IS DISTINCT FROM (e.requests, e.failed, e.quantity, e.credits)
   AND {is_whole}
""",
    counted=COUNTED,
    done=DONE,
    is_billed=IS_BILLED,
    is_whole=IS_WHOLE,
)

# It needs no retired events: late ones that wait for their close arrived not long ago. A closed month has more than the
# rollups of it if an event was voided after the close.
ROLLUPS = sql.compose(
    """
SELECT account_id, format('meter %s in %s: %s requests, %s credits on papers; rollups without late events %s, %s',
                          meter_id, to_char(month, 'YYYY-MM'), f.requests, f.credits, r.requests, r.credits)
  FROM (SELECT account_id, meter_id, occurred_in AS month, sum(requests) AS requests, sum(credits) AS credits
          FROM usage_monthlyusage GROUP BY 1, 2, 3) f
  FULL JOIN (SELECT counted.account_id, meter_id, payer_month.month, sum(requests) AS requests, sum(credits) AS credits
               FROM (SELECT account_id, meter_id, bucket AS moment, requests, credits
                       FROM usage_usagerollup WHERE environment = 'live'
                      UNION ALL
                     SELECT e.account_id, meter_id, occurred_at, -1, -credits
                       FROM usage_event e
                      WHERE billed_in IS NOT NULL AND environment = 'live' AND {not_voided}
                        AND NOT EXISTS (SELECT FROM {done} c WHERE c.account_id = e.account_id
                                                              AND c.month = e.billed_in)) counted {in_month}
              GROUP BY 1, 2, 3) r USING (account_id, meter_id, month)
 WHERE month <= (SELECT max(c.month) FROM {done} c WHERE c.account_id = coalesce(f.account_id, r.account_id))
   AND (coalesce(f.requests, 0), coalesce(f.credits, 0)) <> (coalesce(r.requests, 0), coalesce(r.credits, 0))
   AND (coalesce(f.requests, 0) < coalesce(r.requests, 0) OR coalesce(f.credits, 0) < coalesce(r.credits, 0)
        OR NOT EXISTS (SELECT FROM usage_eventvoid v WHERE v.account_id = coalesce(f.account_id, r.account_id)))
""",
    not_voided=NOT_VOIDED,
    in_month=IN_MONTH,
    done=DONE,
)

LEDGER = sql.compose(
    """
SELECT account_id, format('%s: %s to %s; entries %s, usage %s', to_char(c.month, 'YYYY-MM'), c.opening, c.closing,
                          coalesce(moved.amount, 0), coalesce(used.credits, 0))
  FROM {done} c
  LEFT JOIN (SELECT c.account_id, c.month, sum(amount) AS amount
               FROM (SELECT account_id, NULL::date AS billed_in, created_at AS moment, amount
                       FROM billing_ledgerentry WHERE kind <> 'usage') counted
               JOIN {done} c ON {is_billed} GROUP BY 1, 2) moved USING (account_id, month)
  LEFT JOIN (SELECT account_id, month, sum(credits) AS credits FROM usage_monthlyusage GROUP BY 1, 2) used
      USING (account_id, month)
  LEFT JOIN (SELECT c.account_id, c.month, sum(counted.credits) AS credits
               FROM (SELECT e.account_id, e.billed_in, e.occurred_at AS moment, e.credits, v.created_at
                       FROM {voided}) counted
               JOIN {done} c ON {is_billed} WHERE counted.created_at < c.ends_at GROUP BY 1, 2) voided
      USING (account_id, month)
 WHERE c.closing - c.opening
    <> coalesce(moved.amount, 0) - coalesce(used.credits, 0) - coalesce(voided.credits, 0)
   AND ({is_whole} OR NOT EXISTS (SELECT FROM usage_eventvoid v WHERE v.account_id = c.account_id))
""",
    done=DONE,
    is_billed=IS_BILLED,
    voided=VOIDED,
    is_whole=IS_WHOLE,
)

# A postpaid payer's invoices ask for its debt, less what can't be paid because it is below a unit of money.
INVOICED = sql.compose(
    """
SELECT account_id, format('%s closed at %s, and invoices ask for %s', to_char(month, 'YYYY-MM'), c.closing, c.owed)
  FROM {done} c
  JOIN billing_invoice i ON i.id = c.paper_id
 WHERE i.kind = 'invoice' AND (c.closing + c.owed > 0 OR c.closing + c.owed
                               <= CASE WHEN i.currency = ANY({whole}::text[]) THEN -1 ELSE -0.01 END)
""",
    done=DONE,
    whole=Literal([currency for currency in minor_units.MINIMUMS if not minor_units.decimals(currency)]),
)

CHECKS = {
    "closed months follow one another, with the balance that the one before it left": FOLLOW,
    "usage is late from the end of the last closed month": MARK,
    "what is frozen of a month is the sum of the events that are billed in it": FROZEN,
    "what is frozen of a month is what its rollups have": ROLLUPS,
    "the invoices of a postpaid payer ask for its debt at the end of a month": INVOICED,
    "the balance at the end of a month is what its entries and its usage left": LEDGER,
}
