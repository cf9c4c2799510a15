"""The statement that inserts new events and adds them to everything that is counted.

Its parameters are columns, as arrays: PostgreSQL reads them much faster than JSON. It has two sets of them. The events
themselves, one row each, are inserted as they are. `alike` is what is added up: events that agree in everything that is
counted are one row there, with their number, so that there is far less to add up.
"""

from typing import LiteralString

from accounts.lib import quarters, sql

# Left to itself, PostgreSQL plans this statement anew for each batch, which takes longer than recording an event.
PLANNED_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan"

# What events refer to: an owner (an organization and a key), a meter and an endpoint. There are few such rows, and
# events refer to them by number.
TERMS = """
terms AS MATERIALIZED (
    SELECT t.term, t.meter, t.endpoint, o.*
      FROM json_to_recordset(%(terms)s::json) AS t(term int, owner int, meter bigint, endpoint text)
      JOIN json_to_recordset(%(owners)s::json) AS o(owner int, organization uuid, account uuid, key uuid,
           environment text, entry_seq bigint, closed_through timestamptz, billed_in date) USING (owner))
"""

# A datetime comes as microseconds since 1970, which PostgreSQL reads in half the time of a text. An event is late if
# its month was closed before it came; it is billed in the month that is closed next.
EVENTS = """
INSERT INTO usage_event (account_id, organization_id, id, key_id, meter_id, environment, endpoint, quantity, failed,
                         credits, entry_seq, occurred_at, recorded_at, properties, hold_id, late, billed_in)
SELECT {account}, t.organization, e.id, t.key, t.meter, t.environment, t.endpoint, e.quantity, e.failed, e.credits,
       CASE WHEN e.credits > 0 THEN t.entry_seq END, moment.occurred_at, %(now)s,
       coalesce(e.properties::jsonb, '{{}}'), e.hold, coalesce(moment.occurred_at < t.closed_through, false),
       CASE WHEN moment.occurred_at < t.closed_through THEN t.billed_in END
  FROM unnest(%(term)s::int[], %(id)s::text[], %(quantity)s::numeric[], %(failed)s::bool[], %(credits)s::numeric[],
              %(microseconds)s::bigint[], %(properties)s::text[], %(hold)s::uuid[])
       AS e(term, id, quantity, failed, credits, microseconds, properties, hold)
 CROSS JOIN LATERAL (SELECT {occurred_at} AS occurred_at) moment
  JOIN terms t USING (term)
"""

# What the batch adds to the rollup by endpoint. Everything else adds up these sums further.
ENDPOINT_SUMS = """
endpoint_sums AS (
    SELECT {account} AS account_id, t.organization AS organization_id, {bucket} AS bucket, t.meter AS meter_id,
           t.key AS key_id, t.environment, t.endpoint, sum(alike.number) AS requests,
           coalesce(sum(alike.number) FILTER (WHERE alike.failed), 0) AS failed,
           sum(alike.number * alike.quantity) AS quantity, sum(alike.number * alike.credits) AS credits
      FROM unnest(%(alike_term)s::int[], %(alike_quarter)s::bigint[], %(alike_failed)s::bool[],
                  %(alike_quantity)s::numeric[], %(alike_credits)s::numeric[], %(alike_number)s::int[])
           AS alike(term, quarter, failed, quantity, credits, number)
      JOIN terms t USING (term) GROUP BY 1, 2, 3, 4, 5, 6, 7)
"""
METER_SUMS = """
meter_sums AS (
    SELECT account_id, organization_id, bucket, meter_id, key_id, environment, sum(requests) AS requests,
           sum(failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
      FROM endpoint_sums GROUP BY 1, 2, 3, 4, 5, 6)
"""

# The calendar month that each quarter of an hour lies in, for its payer: made in Python, since PostgreSQL may know
# other time zones.
MONTHLY = """
monthly AS (
    SELECT s.account_id, s.organization_id, s.key_id, s.meter_id, s.environment, m.month, s.requests, s.quantity,
           s.credits
      FROM meter_sums s JOIN json_to_recordset(%(months)s::json) AS m(account uuid, bucket timestamptz, month date)
        ON (m.account, m.bucket) = (s.account_id, s.bucket))
"""

# Rows are written in the order of the unique key, so that two batches never wait for each other.
ADD = """
DO UPDATE SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
              quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits
"""
ENDPOINT_ROLLUP = sql.compose(
    """
INSERT INTO usage_endpointrollup AS r (account_id, organization_id, bucket, meter_id, key_id, environment, endpoint,
                                       requests, failed, quantity, credits)
SELECT * FROM endpoint_sums ORDER BY account_id, organization_id, bucket, meter_id, key_id, endpoint
ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id, endpoint) {add}
""",
    add=ADD,
)
METER_ROLLUP = sql.compose(
    """
INSERT INTO usage_usagerollup AS r (account_id, organization_id, bucket, meter_id, key_id, environment,
                                    requests, failed, quantity, credits)
SELECT * FROM meter_sums ORDER BY account_id, organization_id, bucket, meter_id, key_id
ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id) {add}
""",
    add=ADD,
)

# The volumes that tiers and included quantities are based on.
VOLUMES = """
INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
SELECT account_id, meter_id, month, sum(quantity), sum(requests) FROM monthly
 WHERE environment = 'live' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (account_id, meter_id, month)
DO UPDATE SET quantity = v.quantity + excluded.quantity, requests = v.requests + excluded.requests
"""

# What counts in budgets: the key's, and those of its organization and of every node above.
SPENDING = """
INSERT INTO billing_spending AS s (account_id, subject, month, spent)
SELECT m.account_id, subject, m.month, sum(m.credits)
  FROM monthly m JOIN accounts_organization o ON o.id = m.organization_id
 CROSS JOIN unnest(array_append(o.path, m.key_id)) AS subject
 WHERE m.credits > 0 AND subject IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent
"""

STATEMENT = """
WITH {terms}, {endpoint_sums}, {meter_sums}, {monthly}, events AS ({events}), endpoint_rollup AS ({endpoint_rollup}),
meter_rollup AS ({meter_rollup}), volumes AS ({volumes}), spending AS ({spending})
SELECT
"""


def _parts(account: LiteralString) -> dict[str, str]:
    """The parts of the statement. `account` is the payer of an event of the terms `t`."""
    return {
        "terms": TERMS,
        "events": sql.compose(EVENTS, account=account, occurred_at=quarters.sql_moment("e.microseconds")),
        "endpoint_sums": sql.compose(ENDPOINT_SUMS, account=account, bucket=quarters.sql_start_of("alike.quarter")),
        "meter_sums": METER_SUMS,
        "monthly": MONTHLY,
        "endpoint_rollup": ENDPOINT_ROLLUP,
        "meter_rollup": METER_ROLLUP,
        "volumes": VOLUMES,
        "spending": SPENDING,
    }


def _of_one() -> tuple[str, ...]:
    """The same for one payer, a statement for each table: Citus would copy what those members of a WITH return to every
    machine, so that none of them may be down."""
    parts = _parts("%(account)s::uuid")
    return (
        sql.compose("WITH {terms} {events}", **parts),
        sql.compose("WITH {terms}, {endpoint_sums} {endpoint_rollup}", **parts),
        sql.compose("WITH {terms}, {endpoint_sums}, {meter_sums} {meter_rollup}", **parts),
        sql.compose("WITH {terms}, {endpoint_sums}, {meter_sums}, {monthly} {volumes}", **parts),
        sql.compose("WITH {terms}, {endpoint_sums}, {meter_sums}, {monthly} {spending}", **parts),
    )


RECORD = sql.compose(STATEMENT, **_parts("t.account"))
RECORD_OF_ONE = _of_one()
