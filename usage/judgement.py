"""The statement by which the gate judges. It finds the platform key that asks and the key that is asked about, gives
the first reason against, counts in the key's rate limit, holds the cost, and notes the use of both keys.

Where it holds, `lock` has to be run before it, in the same transaction: what is weighed is then what stands.
"""

from functools import cache

from apikeys import windows
from billing import budgets, holds

# The platform key, if it is good: of one with a rate limit, the call has to be counted already.
CALLER = """
caller AS MATERIALIZED (
    SELECT k.id, coalesce(k.last_used_at <= %(stale)s, true) AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY({caller}) AND (s.expires_at IS NULL OR s.expires_at > %(now)s)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > %(now)s) AND %(scope)s::text = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR %(counted)s)
       AND (cardinality(k.allowed_cidrs) = 0 OR %(address)s::inet <<= ANY(k.allowed_cidrs::inet[])))
"""

# `roles` are those of the key's creator there, where any of its permissions is a scope.
ASKED = """
asked AS MATERIALIZED (
    SELECT k.*, o.public_id AS organization, o.root_id, o.path, tree.is_operational, tree.timezone,
           tree.has_budget OR k.monthly_budget IS NOT NULL AS has_budget,
           coalesce(k.last_used_at <= %(stale)s, true) AS is_stale,
           coalesce(a.balance - a.reserved + a.credit_limit, 0) AS available,
           NOT %(settled)s AND coalesce(a.due_at <= %(now)s, false) AS is_due,
           (SELECT array_agg(m.role)::text[] FROM accounts_membership m JOIN accounts_user u ON u.id = m.user_id
             WHERE k.permissions && %(scopes)s::varchar[] AND u.id = k.created_by_id AND u.is_active
               AND m.organization_id = ANY(o.path)) AS roles
      FROM apikeys_apikeysecret s
      JOIN apikeys_apikey k ON k.id = s.key_id
      JOIN accounts_organization o ON o.id = k.organization_id
     CROSS JOIN LATERAL (SELECT bool_and(n.status = 'active') AS is_operational,
                                bool_or(n.monthly_budget IS NOT NULL) AS has_budget,
                                max(n.timezone) FILTER (WHERE n.id = o.root_id) AS timezone
                           FROM accounts_organization n WHERE n.id = ANY(o.path)) tree
      LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
     WHERE s.digest = ANY({asked}) AND (s.expires_at IS NULL OR s.expires_at > %(now)s)
       AND EXISTS (SELECT FROM caller))
"""

# `charge` is the product rounded half-even, as `billing.money` rounds.
METER = """
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * %(quantity)s::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = %(meter)s::text) priced)
"""

# `stop` is the first reason against, or what has to be known first.
JUDGED = """
judged AS MATERIALIZED (
    SELECT asked.*, CASE WHEN asked.environment = 'test' THEN 0 ELSE coalesce(%(cost)s::numeric, meter.charge, 0) END
           AS cost,
           CASE WHEN asked.revoked_at IS NOT NULL THEN 'REVOKED'
                WHEN asked.expires_at <= %(now)s THEN 'EXPIRED'
                WHEN asked.disabled_at IS NOT NULL THEN 'DISABLED'
                WHEN cardinality(asked.allowed_cidrs) > 0
                     AND NOT coalesce(%(ip)s::inet <<= ANY(asked.allowed_cidrs::inet[]), false) THEN 'IP_NOT_ALLOWED'
                WHEN %(permission)s::text IS NOT NULL
                     AND NOT (%(permission)s = ANY(asked.permissions)
                              AND coalesce(%(holders)s::text[] && asked.roles, %(holders)s::text[] IS NULL))
                     THEN 'INSUFFICIENT_PERMISSIONS'
                WHEN NOT asked.is_operational THEN 'ORGANIZATION_SUSPENDED'
                WHEN asked.is_due THEN 'DUE'
                WHEN meter.id IS NULL THEN CASE WHEN %(meter)s::text IS NOT NULL THEN 'NO_METER' END
                WHEN asked.environment = 'test' OR %(cost)s::numeric IS NOT NULL THEN NULL
                WHEN EXISTS (SELECT FROM billing_pricetier t WHERE t.price_id = meter.price_id)
                     OR EXISTS (SELECT FROM billing_subscription s JOIN billing_planallowance l ON l.plan_id = s.plan_id
                                 WHERE s.organization_id = asked.root_id AND s.status = 'active'
                                   AND l.meter_id = meter.id)
                     THEN 'TIERED' END AS stop
      FROM asked LEFT JOIN meter ON true)
"""

LIMITED = """
limited AS MATERIALIZED (
    SELECT id, rate_limit, rate_limit_window_seconds AS window_seconds FROM judged
     WHERE stop IS NULL AND rate_limit IS NOT NULL AND {open} IS NULL)
"""
BUDGETED = "CASE WHEN has_budget AND cost > 0 THEN 'BUDGETED' END"

WEIGHED = """
weighed AS MATERIALIZED (
    SELECT judged.*, counted.key_id IS NOT NULL AS is_counted, counted.win, counted.n, counted.prev,
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN {open} IS NOT NULL THEN {open}
                WHEN rate_limit IS NOT NULL AND counted.key_id IS NULL THEN 'RATE_LIMITED'
                WHEN {exceeded} THEN 'BUDGET_EXCEEDED'
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged LEFT JOIN counted ON true)
"""
EXCEEDED = budgets.EXCEEDED % {
    "account": "judged.root_id",
    "path": "judged.path",
    "key": "judged.id",
    "month": "%(month)s::date",
    "now": "%(now)s",
    "amount": "judged.cost",
}

ROOM = """
room AS (
    SELECT root_id AS account_id, organization_id, id AS key_id, cost AS granted FROM weighed
     WHERE code = 'VALID' AND cost > 0)
"""

# A use is noted at most once a minute, and nobody waits for it.
TOUCHED = """
touched AS (
    UPDATE apikeys_apikey k SET last_used_at = %(now)s
      FROM (SELECT u.id FROM apikeys_apikey u
             WHERE u.id IN (SELECT id FROM caller WHERE is_stale
                             UNION ALL
                            SELECT id FROM weighed
                             WHERE is_stale AND code IN ('VALID', 'BUDGET_EXCEEDED', 'INSUFFICIENT_CREDITS'))
               AND coalesce(u.last_used_at <= %(stale)s, true)
               FOR NO KEY UPDATE SKIP LOCKED) used
     WHERE k.id = used.id)
"""

ANSWER = """
SELECT w.code, meter.id, w.root_id, w.timezone, w.public_id, w.organization, w.permissions, w.roles, w.expires_at,
       w.cost, w.available - coalesce({held}, 0), {hold},
       w.rate_limit, w.rate_limit_window_seconds, w.is_counted, coalesce(w.win, x.win), coalesce(w.n, x.n),
       coalesce(w.prev, x.prev)
  FROM caller LEFT JOIN meter ON true LEFT JOIN weighed w ON true
  LEFT JOIN apikeys_ratewindow x ON x.key_id = w.id AND w.code = 'RATE_LIMITED'
"""

# In no order: a key has one payer.
LOCK = """
SELECT FROM billing_ledgeraccount WHERE organization_id IN (
       SELECT o.root_id FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
         JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY({asked}))
   FOR NO KEY UPDATE
"""


@cache
def statement(peppers: int, *, holding: bool, capped: bool) -> str:
    """One that places a hold or not, and weighs budgets or leaves a key that has some open (`BUDGETED`).

    Secrets are looked up by so many digests each, `caller_0` and `asked_0` onwards.
    """
    placing = [ROOM, holds.PLACED] if holding else []
    parts = [CALLER, ASKED, METER, JUDGED, LIMITED, windows.COUNTED, WEIGHED, *placing, TOUCHED]
    filled = {
        "{caller}": _digests("caller", peppers),
        "{asked}": _digests("asked", peppers),
        "{open}": "NULL" if capped else BUDGETED,
        "{exceeded}": f"has_budget AND cost > 0 AND EXISTS ({EXCEEDED})" if capped else "false",
        "{held}": "(SELECT amount FROM hold)" if holding else "0",
        "{hold}": "(SELECT id FROM hold)" if holding else "NULL::uuid",
    }
    text = f"WITH {','.join(parts)}{ANSWER}"
    for name, part in filled.items():
        text = text.replace(name, part)
    return text


@cache
def lock(peppers: int) -> str:
    """Locks the payer of the key that is asked about, if it has an account."""
    return LOCK.replace("{asked}", _digests("asked", peppers))


def _digests(name: str, peppers: int) -> str:
    return f"ARRAY[{', '.join(f'%({name}_{number})s::bytea' for number in range(peppers))}]"
