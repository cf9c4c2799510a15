"""The statement by which the gate judges. It finds the platform key that asks and the key that is asked about, gives
the first reason against, counts in the key's rate limit, holds the cost, and notes the use of both keys.

It has forms, since parts that do nothing take the server as long as looking up the keys. Most calls are of keys without
a rate limit and a budget, whose use was noted this minute: a short form reads, and holds. A hold is one guarded update
of its account there, which decides by the latest row. The long form takes windows and budgets as well, and has to be
run after `lock` if it holds, in the same transaction: what it weighs is then what stands.
"""

from dataclasses import dataclass
from functools import cache

from accounts import scopes
from apikeys import rate_limits
from billing.ledger import budgets, holds

SCOPE = "keys:read"

# The platform key, if it is good: of one with a rate limit, the call has to be counted already.
CALLER = """
caller AS MATERIALIZED (
    SELECT k.id, {stale} AS is_stale
      FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
     WHERE s.digest = ANY({caller}) AND (s.expires_at IS NULL OR s.expires_at > %(now)s)
       AND k.organization_id IS NULL AND k.revoked_at IS NULL AND k.disabled_at IS NULL
       AND (k.expires_at IS NULL OR k.expires_at > %(now)s) AND {scope} = ANY(k.permissions)
       AND (k.rate_limit IS NULL OR %(counted)s)
       AND (cardinality(k.allowed_cidrs) = 0 OR %(address)s::inet <<= ANY(k.allowed_cidrs::inet[])))
"""

# `roles` are those of the key's creator there, where any of its permissions is a scope.
ASKED = """
asked AS MATERIALIZED (
    SELECT k.id, k.public_id, k.organization_id, k.environment, k.permissions, k.expires_at, k.disabled_at,
           k.revoked_at, k.allowed_cidrs, k.rate_limit, k.rate_limit_window_seconds AS window_seconds,
           {stale} AS is_stale,
           o.public_id AS organization, o.root_id, o.path, tree.is_operational, tree.timezone,
           tree.has_budget OR k.monthly_budget IS NOT NULL AS has_budget,
           coalesce(a.balance - a.reserved + a.credit_limit, 0) AS available, {due} AS is_due,
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
      LEFT JOIN billing_ledgeraccount a ON a.organization_id = o.root_id
     WHERE s.digest = ANY({asked}) AND (s.expires_at IS NULL OR s.expires_at > %(now)s)
       AND EXISTS (SELECT FROM caller))
"""

# `charge` is the product rounded half-even, as `accounts.lib.money` rounds.
METER = """
meter AS MATERIALIZED (
    SELECT id, price_id,
           CASE WHEN exact - trunc(exact, 9) = 0.0000000005 AND mod(trunc(exact, 9) * 1000000000, 2) = 0
                THEN trunc(exact, 9) ELSE round(exact, 9) END AS charge
      FROM (SELECT m.id, p.id AS price_id, coalesce(p.unit_amount * %(quantity)s::numeric, 0) AS exact
              FROM billing_meter m LEFT JOIN billing_price p ON p.meter_id = m.id
             WHERE m.slug = %(meter)s::text) priced)
"""

# `stop` is the first reason against, or why it is not decided yet. Without such a meter, nothing is.
JUDGED = """
judged AS (
    SELECT asked.*, CASE WHEN asked.environment = 'test' THEN 0 ELSE coalesce({cost}, 0) END AS cost,
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
                WHEN meter.id IS NULL AND %(meter)s::text IS NOT NULL THEN 'NO_METER'
                {tiered} END AS stop
      FROM asked LEFT JOIN meter ON true)
"""
TIERED = """
                WHEN asked.environment <> 'test'
                     AND (EXISTS (SELECT FROM billing_pricetier t WHERE t.price_id = meter.price_id)
                          OR EXISTS (SELECT FROM billing_subscription s
                                       JOIN billing_planallowance l ON l.plan_id = s.plan_id
                                      WHERE s.organization_id = asked.root_id AND s.status = 'active'
                                        AND l.meter_id = meter.id)) THEN 'TIERED'"""

# The short form leaves a call open for which the long one is needed, whichever key it is that has to be noted as used:
# it must not be VALID here, since what is VALID is held.
SHORT = """
weighed AS MATERIALIZED (
    SELECT *, NULL::bool AS is_counted, NULL::float8[] AS moments, NULL::int[] AS calls,
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN is_stale OR (SELECT is_stale FROM caller) OR rate_limit IS NOT NULL THEN 'LONG'
                {capped}
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged)
"""

LIMITED = """
limited AS MATERIALIZED (
    SELECT 'key:' || id AS subject, rate_limit, window_seconds FROM judged
     WHERE stop IS NULL AND rate_limit IS NOT NULL{uncapped})
"""
LONG = """
weighed AS MATERIALIZED (
    SELECT judged.*, counted.subject IS NOT NULL AS is_counted, coalesce(counted.moments, x.moments) AS moments,
           coalesce(counted.calls, x.calls) AS calls,
           CASE WHEN stop IS NOT NULL THEN stop
                WHEN limited.subject IS NOT NULL AND counted.subject IS NULL THEN 'RATE_LIMITED'
                {capped}
                WHEN cost > 0 AND cost > available THEN 'INSUFFICIENT_CREDITS'
                ELSE 'VALID' END AS code
      FROM judged LEFT JOIN limited ON true LEFT JOIN counted ON true {read})
"""

# Budgets are weighed once their month is known, which depends on the payer's time zone.
UNCAPPED = "WHEN has_budget AND cost > 0 THEN 'BUDGETED'"
CAPPED = "WHEN has_budget AND cost > 0 AND EXISTS ({exceeded}) THEN 'BUDGET_EXCEEDED'"
EXCEEDED = budgets.exceeded(
    account="judged.root_id",
    path="judged.path",
    key="judged.id",
    month="%(month)s",
    now="%(now)s",
    amount="judged.cost",
)

ROOM = """
room AS (
    SELECT root_id AS account_id, organization_id, id AS key_id, cost AS granted FROM weighed
     WHERE code = 'VALID' AND cost > 0)
"""

# Uses are noted at most once a minute, and nobody waits for it.
STALE = "coalesce(k.last_used_at <= %(now)s - interval '1 minute', true)"
TOUCHED = """
touched AS (
    UPDATE apikeys_apikey used SET last_used_at = %(now)s
      FROM (SELECT k.id FROM apikeys_apikey k
             WHERE k.id IN (SELECT id FROM caller WHERE is_stale
                             UNION ALL
                            SELECT id FROM weighed
                             WHERE is_stale AND code IN ('VALID', 'BUDGET_EXCEEDED', 'INSUFFICIENT_CREDITS'))
               AND {stale} FOR NO KEY UPDATE SKIP LOCKED) k
     WHERE used.id = k.id)
"""

ANSWER = """
SELECT {code}, meter.id, w.public_id, w.organization, w.permissions, w.roles, w.expires_at, w.cost,
       coalesce({available}, w.available), {hold}, w.rate_limit, w.window_seconds, w.is_counted, w.moments, w.calls,
       CASE WHEN w.code IN ('DUE', 'TIERED', 'BUDGETED') THEN w.root_id END,
       CASE WHEN w.code IN ('TIERED', 'BUDGETED') THEN w.timezone END
  FROM caller LEFT JOIN meter ON true LEFT JOIN weighed w ON true
"""

# A key has one payer, so that there is no order to keep.
LOCK = """
SELECT FROM billing_ledgeraccount WHERE organization_id IN (
       SELECT o.root_id FROM apikeys_apikeysecret s JOIN apikeys_apikey k ON k.id = s.key_id
         JOIN accounts_organization o ON o.id = k.organization_id WHERE s.digest = ANY({asked}))
   FOR NO KEY UPDATE
"""


@dataclass(frozen=True, slots=True)
class Form:
    """`peppers`: secrets are looked up by so many digests, `caller_0` and `asked_0` onwards.

    What is told: `settled`, that nothing is due, under the lock; `month`, that of the budgets; `cost`, where it is not
    the meter's price times the quantity.
    """

    peppers: int
    long: bool = False
    holding: bool = False
    settled: bool = False
    month: bool = False
    cost: bool = False

    @property
    def code(self) -> str:
        if self.long:
            return "w.code"
        lost = "w.code = 'VALID' AND w.cost > 0 AND NOT EXISTS (SELECT FROM hold)" if self.holding else "false"
        return f"CASE WHEN caller.is_stale OR {lost} THEN 'LONG' ELSE w.code END"


@cache
def statement(form: Form) -> str:
    """The statement in that form."""
    filled = {
        "{stale}": STALE,
        "{scope}": f"'{SCOPE}'",
        "{scopes}": f"ARRAY[{', '.join(repr(scope) for scope in sorted(scopes.ALL))}]::varchar[]",
        "{caller}": _digests("caller", form.peppers),
        "{asked}": _digests("asked", form.peppers),
        "{due}": "false" if form.settled else "coalesce(a.due_at <= %(now)s, false)",
        "{cost}": "%(cost)s::numeric" if form.cost else "meter.charge",
        "{tiered}": "" if form.cost else TIERED,
        "{capped}": CAPPED.replace("{exceeded}", EXCEEDED) if form.month else UNCAPPED,
        "{uncapped}": "" if form.month else " AND NOT (has_budget AND cost > 0)",
        "{code}": form.code,
        "{available}": "(SELECT available FROM account)" if form.holding else "NULL",
        "{read}": rate_limits.READ,
        "{hold}": "(SELECT id FROM hold)" if form.holding else "NULL::uuid",
    }
    placing = [ROOM, holds.PLACED] if form.holding else []
    weighing = [LIMITED, rate_limits.COUNTED, LONG, *placing, TOUCHED] if form.long else [SHORT, *placing]
    return _filled(f"WITH {','.join([CALLER, ASKED, METER, JUDGED, *weighing])}{ANSWER}", filled)


@cache
def caller(scope: str, peppers: int) -> str:
    """Finds nothing but the platform key, where it has that scope and its use needs no note."""
    filled = {"{stale}": STALE, "{scope}": f"'{scope}'", "{caller}": _digests("caller", peppers)}
    return _filled(f"WITH {CALLER} SELECT FROM caller WHERE NOT is_stale", filled)


@cache
def lock(peppers: int) -> str:
    """Locks the payer of the key that is asked about, if it has an account."""
    return _filled(LOCK, {"{asked}": _digests("asked", peppers)})


def _digests(name: str, peppers: int) -> str:
    return f"ARRAY[{', '.join(f'%({name}_{number})s::bytea' for number in range(peppers))}]"


def _filled(text: str, parts: dict[str, str]) -> str:
    for name, part in parts.items():
        text = text.replace(name, part)
    return text
