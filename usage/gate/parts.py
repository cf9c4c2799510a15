"""The parts of the gate's statement, which `usage.gate.sql` puts together."""

from psycopg.sql import Literal

from accounts import scopes
from accounts.lib import sql
from apikeys import last_use, rate_limits
from billing.ledger import budgets

SCOPE = "keys:read"

# The platform key, if it is good. If it has a rate limit, the request must have been counted in it before.
CALLER = """
caller AS MATERIALIZED (
    SELECT k.id, {stale} AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY({digests}) AND (s.expires_at IS NULL OR s.expires_at > %(real_now)s)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > %(real_now)s) AND {scope} = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR %(counted)s)
       AND (cardinality(k.allowed_cidrs) = 0 OR %(address)s::inet <<= ANY(k.allowed_cidrs::inet[])))
"""

# The customer's key, with its organization, its tree and its payer's account. `roles` are its creator's roles there;
# they only matter if some of its permissions are scopes of ours.
PRESENTED = """
presented AS MATERIALIZED (
    SELECT k.id, k.public_id, k.organization_id, k.environment, k.permissions, k.expires_at, k.disabled_at,
           k.revoked_at, k.allowed_cidrs, k.rate_limit, k.rate_limit_window_seconds AS window_seconds,
           {stale} AS is_stale,
           o.public_id AS organization, o.root_id, o.path, o.clock_ahead, tree.is_operational, tree.timezone,
           tree.has_budget OR k.monthly_budget IS NOT NULL AS has_budget,
           coalesce(a.balance - a.reserved + a.credit_limit, 0) AS available, {due} AS is_due,
           coalesce(a.zones, '[]') AS zones,
           a.rate_limit AS plan_limit, a.rate_limit_window_seconds AS plan_window,
           (SELECT array_agg(m.role)::text[] FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
             WHERE k.permissions && {scopes} AND u.id = k.created_by_id AND u.is_active
               AND m.organization_id = ANY(o.path)) AS roles
      FROM apikeys_apikeysecret s
      JOIN apikeys_apikey k ON k.id = s.key_id
      JOIN accounts_organization o ON o.id = k.organization_id
     CROSS JOIN LATERAL (SELECT bool_and(n.status = 'active') AS is_operational,
                                bool_or(n.monthly_budget IS NOT NULL) AS has_budget,
                                max(n.timezone) FILTER (WHERE n.id = o.root_id) AS timezone
                           FROM accounts_organization n WHERE n.id = ANY(o.path)) tree
      LEFT JOIN {ledger} a ON a.organization_id = o.root_id
     WHERE s.digest = ANY({digests}) AND (s.expires_at IS NULL OR s.expires_at > %(real_now)s)
       AND EXISTS (SELECT FROM caller))
"""
LEDGER = "billing_ledgeraccount"

# If the tables are distributed, the coordinator runs the whole statement. So the payer's data is read beforehand, and
# comes as parameters: the account's row, and the smallest rest of any budget.
LEDGER_GIVEN = """
(SELECT * FROM json_to_recordset(%(ledger)s::json) AS given(organization_id uuid, balance numeric, reserved numeric,
        credit_limit numeric, due_at timestamptz, zones jsonb, rate_limit int, rate_limit_window_seconds int))"""
CAPPED_GIVEN = "WHEN has_budget AND cost > 0 AND cost > %(budget_left)s::numeric THEN 'BUDGET_EXCEEDED'"
DUE = "coalesce(a.due_at <= %(now)s, false)"

# The meter, and the cost of the quantity at its flat price, rounded half-even as in `accounts.lib.money`.
METER = """
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * %(quantity)s::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = %(meter)s::text) priced)
"""

# `stop` is the first reason to refuse the call, or what is missing to decide it. NULL: nothing so far.
JUDGED = """
judged AS (
    SELECT presented.*, CASE WHEN presented.environment = 'test' THEN 0 ELSE coalesce({cost}, 0) END AS cost,
           CASE WHEN presented.revoked_at IS NOT NULL THEN 'REVOKED'
                WHEN presented.expires_at <= %(real_now)s THEN 'EXPIRED'
                WHEN presented.disabled_at IS NOT NULL THEN 'DISABLED'
                WHEN cardinality(presented.allowed_cidrs) > 0
                     AND NOT coalesce(%(ip)s::inet <<= ANY(presented.allowed_cidrs::inet[]), false)
                     THEN 'IP_NOT_ALLOWED'
                WHEN %(permission)s::text IS NOT NULL
                     AND NOT (%(permission)s = ANY(presented.permissions)
                              AND coalesce(%(holders)s::text[] && presented.roles, %(holders)s::text[] IS NULL))
                     THEN 'INSUFFICIENT_PERMISSIONS'
                WHEN NOT presented.is_operational THEN 'ORGANIZATION_SUSPENDED'
                WHEN presented.clock_ahead IS DISTINCT FROM %(ahead)s::interval THEN 'CLOCK'
                WHEN presented.is_due THEN 'DUE'
                WHEN meter.id IS NULL AND %(meter)s::text IS NOT NULL THEN 'NO_METER'
                {tiered} END AS stop
      FROM presented LEFT JOIN meter ON true)
"""

# The flat price doesn't apply if the meter has tiers, or if the payer's plan includes some of it.
TIERED = """
                WHEN presented.environment <> 'test'
                     AND (EXISTS (SELECT FROM billing_pricetier t WHERE t.price_id = meter.price_id)
                          OR EXISTS (SELECT FROM billing_subscription s
                                       JOIN billing_planallowance l ON l.plan_id = s.plan_id
                                      WHERE s.organization_id = presented.root_id AND s.status IN ('active', 'trialing')
                                        AND l.meter_id = meter.id)) THEN 'TIERED'"""

# The short form's verdict. It must not be VALID if the long form is needed, for example to update the last use of one
# of the two keys, because a VALID call is held.
SHORT = """
weighed AS MATERIALIZED (
    SELECT *, {uncounted}, {unplanned},
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN plan_limit IS NOT NULL THEN 'PLAN'
                WHEN is_stale OR (SELECT is_stale FROM caller) OR rate_limit IS NOT NULL THEN 'LONG'
                {capped}
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged)
"""

# The rate limit of the payer's plan, which all its keys share; test keys have a separate count. A call is only counted
# for its key if the plan's limit is not reached, and then for the plan. There's a race here: another call may take the
# last place that we saw. Then this call is refused, but was counted for its key.
PLAN = sql.compose(
    """
plan AS MATERIALIZED (
    SELECT *, {full} AS is_full
      FROM (SELECT 'plan:' || root_id || CASE WHEN environment = 'test' THEN ':test' ELSE '' END AS subject,
                   plan_limit AS rate_limit, plan_window AS window_seconds
              FROM judged WHERE stop IS NULL AND plan_limit IS NOT NULL {{uncapped}}) p)
""",
    full=sql.compose(rate_limits.FULL, subject="p.subject", window="p.window_seconds", limit="p.rate_limit"),
)
PLANNED = """
planned AS MATERIALIZED (
    SELECT subject, rate_limit, window_seconds FROM plan
     WHERE NOT is_full AND (NOT EXISTS (SELECT FROM limited) OR EXISTS (SELECT FROM counted)))
"""
READ_PLAN = """
LEFT JOIN plan ON true LEFT JOIN planned ON true LEFT JOIN counted_plan ON true
LEFT JOIN apikeys_ratecount y ON y.subject = plan.subject AND counted_plan.subject IS NULL
"""
OF_PLAN = """
is_full OR planned.subject IS NOT NULL AS is_planned, counted_plan.subject IS NOT NULL AS is_counted_in_plan,
coalesce(counted_plan.moments, y.moments) AS plan_moments, coalesce(counted_plan.calls, y.calls) AS plan_calls
"""
UNCOUNTED = "false AS is_limited, NULL::bool AS is_counted, NULL::float8[] AS moments, NULL::int[] AS calls"
UNPLANNED = """
false AS is_planned, NULL::bool AS is_counted_in_plan, NULL::float8[] AS plan_moments, NULL::int[] AS plan_calls
"""

# The long form's verdict, after the call was counted in the key's rate limit. It isn't counted while the month of the
# budgets is missing, because the statement will run again.
LIMITED = """
limited AS MATERIALIZED (
    SELECT 'key:' || id AS subject, rate_limit, window_seconds FROM judged
     WHERE stop IS NULL AND rate_limit IS NOT NULL {uncapped} {unfilled})
"""
UNFILLED = "AND NOT EXISTS (SELECT FROM plan WHERE is_full)"
UNASKED = "AND plan_limit IS NULL"
UNCAPPED = "AND NOT (has_budget AND cost > 0)"
LONG = """
weighed AS MATERIALIZED (
    SELECT judged.*, limited.subject IS NOT NULL AS is_limited, counted.subject IS NOT NULL AS is_counted,
           coalesce(counted.moments, x.moments) AS moments, coalesce(counted.calls, x.calls) AS calls, {of_plan},
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN limited.subject IS NOT NULL AND counted.subject IS NULL THEN 'RATE_LIMITED'
                {plan}
                {capped}
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged LEFT JOIN limited ON true LEFT JOIN counted ON true {read} {read_plan})
"""
PLAN_ASKED = "WHEN plan_limit IS NOT NULL THEN 'PLAN'"
PLAN_REFUSED = "WHEN plan.subject IS NOT NULL AND counted_plan.subject IS NULL THEN 'RATE_LIMITED'"

# Budgets can only be checked when their month is known, which depends on the payer's billing zone.
BUDGETED = "WHEN has_budget AND cost > 0 THEN 'BUDGETED'"
CAPPED = sql.compose(
    "WHEN has_budget AND cost > 0 AND EXISTS ({exceeded}) THEN 'BUDGET_EXCEEDED'",
    exceeded=budgets.exceeded(
        account="judged.root_id",
        path="judged.path",
        key="judged.id",
        month="%(month)s",
        now="%(now)s",
        amount="judged.cost",
    ),
)

# The input of `holds.PLACED`: empty, unless the call is valid and costs something.
ROOM = """
room AS (
    SELECT root_id AS account_id, organization_id, id AS key_id, cost AS granted FROM weighed
     WHERE code = 'VALID' AND cost > 0)
"""

# The last use is updated unless the call was refused for a reason before the budget. Locked rows are skipped.
TOUCHED = """
touched AS (
    UPDATE apikeys_apikey used SET last_used_at = %(real_now)s
      FROM (SELECT k.id FROM apikeys_apikey k
             WHERE k.id IN (SELECT id FROM caller WHERE is_stale
                             UNION ALL
                            SELECT id FROM weighed
                             WHERE is_stale AND code IN ('VALID', 'BUDGET_EXCEEDED', 'INSUFFICIENT_CREDITS'))
               AND {stale} FOR NO KEY UPDATE SKIP LOCKED) k
     WHERE used.id = k.id)
"""

# One row if the caller is authorized, otherwise none.
ANSWER = """
SELECT {code}, meter.id, w.public_id, w.organization, w.permissions, w.roles, w.expires_at, w.cost,
       coalesce({available}, w.available), {hold},
       CASE WHEN w.is_limited THEN w.rate_limit END, w.window_seconds, w.is_counted, w.moments, w.calls,
       CASE WHEN w.is_planned THEN w.plan_limit END, w.plan_window, w.is_counted_in_plan, w.plan_moments, w.plan_calls,
       w.environment = 'test',
       CASE WHEN w.code IN ('DUE', 'TIERED', 'BUDGETED') THEN w.root_id END,
       CASE WHEN w.code IN ('TIERED', 'BUDGETED') THEN w.timezone END,
       CASE WHEN w.code IN ('TIERED', 'BUDGETED') THEN w.zones END, w.clock_ahead
  FROM caller LEFT JOIN meter ON true LEFT JOIN weighed w ON true
"""

# The short form can't hold if another call has taken the credits since they were read, or if the caller's last use must
# be updated.
SHORT_CODE = "CASE WHEN caller.is_stale OR {lost} THEN 'LONG' ELSE w.code END"
LOST = "w.code = 'VALID' AND w.cost > 0 AND NOT EXISTS (SELECT FROM hold)"

# A key has only one payer, so no lock order is needed.
LOCK = """
SELECT FROM billing_ledgeraccount WHERE organization_id IN (
       SELECT o.root_id FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
         JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY({digests}))
   FOR NO KEY UPDATE
"""
OWNER = """
SELECT o.root_id, o.id, k.id FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
  JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY({digests})
"""
STALE = last_use.stale(key="k", at="%(real_now)s")
OUR_SCOPES = sql.compose("{scopes}::varchar[]", scopes=Literal(sorted(scopes.ALL)))
