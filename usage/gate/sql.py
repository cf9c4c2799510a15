"""The statement by which the gate decides about a call.

It finds the platform key that asks and the customer's key that was presented, gives the first reason against the call,
counts it in the key's rate limit, holds the cost, and notes the use of both keys.

It comes in several forms, because a part that does nothing takes PostgreSQL as long as looking up the keys. Most calls
are made with keys that have no rate limit and no budget, and whose use was noted within this minute. For those there is
a short form that reads, and holds: its hold is one guarded UPDATE of the account, decided by the latest row. The long
form also counts rate limits, weighs budgets and notes use; if it is `planned`, it counts in the limit of the payer's
plan, too. If it holds, it has to run after `lock`, in the same transaction, so that the figures that it weighs are the
latest ones.

If a call is not decided yet, the statement has done nothing, and `code` says what is missing: LONG the long form, PLAN
the one that is planned, CLOCK how far the payer's clock is ahead, DUE that the account is brought up to date, TIERED
the price, BUDGETED the month of the budgets, NO_METER the meter. Keys and rate limits follow the real time, everything
about money the payer's clock.
"""

from functools import cache
from typing import LiteralString, NamedTuple

from psycopg.sql import SQL, Literal, Placeholder

from accounts import scopes
from accounts.lib import sql
from apikeys import last_use, rate_limits
from billing.ledger import budgets, holds

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

# The customer's key, with its organization, its tree and its payer's account. `roles` are those that its creator has
# there; they matter only if some of its permissions are scopes of ours.
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

# Where the tables are distributed, all of the statement is worked by the coordinator. So what it needs to know of the
# payer is asked for before, and comes as parameters: the account's row, and the least that a budget has left.
LEDGER_GIVEN = """
(SELECT * FROM json_to_recordset(%(ledger)s::json) AS given(organization_id uuid, balance numeric, reserved numeric,
        credit_limit numeric, due_at timestamptz, zones jsonb, rate_limit int, rate_limit_window_seconds int))"""
CAPPED_GIVEN = "WHEN has_budget AND cost > 0 AND cost > %(budget_left)s::numeric THEN 'BUDGET_EXCEEDED'"
DUE = "coalesce(a.due_at <= %(now)s, false)"

# The meter, and what the quantity costs at its flat price, rounded half-even as `accounts.lib.money` does.
METER = """
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * %(quantity)s::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = %(meter)s::text) priced)
"""

# `stop` is the first reason against the call, or what is missing to decide about it. NULL: nothing so far.
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

# The flat price does not hold if the meter has tiers, or if the payer's plan includes some of it.
TIERED = """
                WHEN presented.environment <> 'test'
                     AND (EXISTS (SELECT FROM billing_pricetier t WHERE t.price_id = meter.price_id)
                          OR EXISTS (SELECT FROM billing_subscription s
                                       JOIN billing_planallowance l ON l.plan_id = s.plan_id
                                      WHERE s.organization_id = presented.root_id AND s.status IN ('active', 'trialing')
                                        AND l.meter_id = meter.id)) THEN 'TIERED'"""

# The short form's verdict. It must not be VALID if the long form is needed, whichever of the two keys has to be noted
# as used: a VALID call is held.
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

# The rate limit of the payer's plan, which all its keys share; those of tests apart. A call is counted for its key only
# if the plan is not full, and then for the plan. There's a race here: the last place that we saw may go to another
# call. Then this one is refused, but was counted for its key.
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

# The long form's verdict, after the call was counted in the key's rate limit. It is not counted as long as the month of
# the budgets is missing, since it is asked about again.
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

# Budgets can be weighed once their month is known, which depends on the payer's billing zone.
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

# What `holds.PLACED` takes: nothing, unless the call is valid and costs something.
ROOM = """
room AS (
    SELECT root_id AS account_id, organization_id, id AS key_id, cost AS granted FROM weighed
     WHERE code = 'VALID' AND cost > 0)
"""

# A key counts as used unless it was refused for a reason before its budget. Nobody waits for the note.
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

# The short form can't hold if another call took the credits since they were read, or if the caller's use has to be
# noted.
SHORT_CODE = "CASE WHEN caller.is_stale OR {lost} THEN 'LONG' ELSE w.code END"
LOST = "w.code = 'VALID' AND w.cost > 0 AND NOT EXISTS (SELECT FROM hold)"

# A key has one payer, so there is no order to keep.
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


class Form(NamedTuple):
    """Which parts the statement has. `planned` is a long form. `given`: what is distributed comes as parameters.

    `peppers`: secrets are looked up by so many digests, `caller_0` and `presented_0` onwards. `holding`: the cost is
    held. The rest says what is known already: that nothing is due (`up_to_date`, under the lock), the `month` of the
    budgets, and the `cost`, if it is not the flat price times the quantity.
    """

    peppers: int
    long: bool = False
    planned: bool = False
    holding: bool = False
    up_to_date: bool = False
    month: bool = False
    cost: bool = False
    given: bool = False


@cache
def statement(form: Form) -> str:
    """The statement in that form."""
    weighing = _long(form) if form.long else [_short(form)]
    placing = [ROOM, holds.PLACED] if form.holding else []
    touched = [sql.compose(TOUCHED, stale=STALE)] if form.long else []
    members = [_caller(SCOPE, form.peppers), *_judged(form), *weighing, *placing, *touched]
    return sql.compose("WITH {members} {answer}", members=SQL(",").join(map(SQL, members)), answer=_answer(form))


@cache
def caller(scope: str, peppers: int) -> str:
    """Finds only the platform key, if it has that scope and its use was noted within this minute."""
    return sql.compose("WITH {caller} SELECT FROM caller WHERE NOT is_stale", caller=_caller(scope, peppers))


@cache
def owner(peppers: int) -> str:
    """Finds whose the presented key is: the payer, the organization and the key."""
    return sql.compose(OWNER, digests=_digests("presented", peppers))


@cache
def lock(peppers: int) -> str:
    """Locks the payer of the presented key, if it has an account."""
    return sql.compose(LOCK, digests=_digests("presented", peppers))


def _caller(scope: str, peppers: int) -> str:
    return sql.compose(CALLER, stale=STALE, digests=_digests("caller", peppers), scope=Literal(scope))


def _judged(form: Form) -> list[str]:
    """Everything up to the first reason that is not about money or limits."""
    digests = _digests("presented", form.peppers)
    due, ledger = "false" if form.up_to_date else DUE, LEDGER_GIVEN if form.given else LEDGER
    cost = "%(cost)s::numeric" if form.cost else "meter.charge"
    return [
        sql.compose(PRESENTED, stale=STALE, due=due, scopes=OUR_SCOPES, digests=digests, ledger=ledger),
        METER,
        sql.compose(JUDGED, cost=cost, tiered="" if form.cost else TIERED),
    ]


def _short(form: Form) -> str:
    return sql.compose(SHORT, capped=_capped(form), uncounted=UNCOUNTED, unplanned=UNPLANNED)


def _capped(form: Form) -> str:
    if not form.month:
        return BUDGETED
    return CAPPED_GIVEN if form.given else CAPPED


def _long(form: Form) -> list[str]:
    uncapped, capped = "" if form.month else UNCAPPED, _capped(form)
    limited = sql.compose(LIMITED, uncapped=uncapped, unfilled=UNFILLED if form.planned else UNASKED)
    counted = [limited, rate_limits.counting("counted", "limited")]
    parts = {"capped": capped, "read": rate_limits.READ}
    if not form.planned:
        return [*counted, sql.compose(LONG, **parts, plan=PLAN_ASKED, of_plan=UNPLANNED, read_plan="")]
    plan = [sql.compose(PLAN, uncapped=uncapped)]
    planned = [PLANNED, rate_limits.counting("counted_plan", "planned")]
    weighed = sql.compose(LONG, **parts, plan=PLAN_REFUSED, of_plan=OF_PLAN, read_plan=READ_PLAN)
    return [*plan, *counted, *planned, weighed]


def _answer(form: Form) -> str:
    code: LiteralString = "w.code" if form.long else SHORT_CODE
    return sql.compose(
        ANSWER,
        code=sql.compose(code, lost=LOST if form.holding else "false"),
        available="(SELECT available FROM account)" if form.holding else "NULL",
        hold="(SELECT id FROM hold)" if form.holding else "NULL::uuid",
    )


def _digests(name: str, peppers: int) -> str:
    digests = [SQL("{}::bytea").format(Placeholder(f"{name}_{number}")) for number in range(peppers)]
    return sql.compose("ARRAY[{digests}]", digests=SQL(", ").join(digests))
