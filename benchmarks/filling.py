"""Writes a month of usage by SQL: events, rollups, the volume, what was spent, and ledger entries.

The rows are the same as if the events had been ingested, with one usage entry per 100 events, so `check_ledger` passes.
Any number of events falls into the same quarters of an hour, meter, key and endpoints. So 10,000 and 10,000,000 differ
in the number of events, but not in the number of rollup rows.
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from psycopg import Connection, sql

PRICE = Decimal("0.001")
PER_ENTRY = 100
ENDPOINTS = 3


def month(now: datetime) -> tuple[datetime, datetime]:
    """The calendar month before this one: [start, end)."""
    end = now.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (end - timedelta(days=1)).replace(day=1), end


EVENTS = """
INSERT INTO usage_event (organization_id, id, account_id, key_id, meter_id, environment, endpoint, quantity, failed,
                         credits, entry_seq, occurred_at, recorded_at, properties)
SELECT %(organization)s, 'event-' || n, %(organization)s, %(key)s, m.id, 'live', '/v1/things/' || n %% %(endpoints)s, 1,
       n %% 10 = 0, %(price)s, 2 + n / %(per_entry)s, t.at, t.at, '{}'
  FROM generate_series(0, %(events)s - 1) AS n, billing_meter m,
       LATERAL (SELECT %(start)s::timestamptz + (n + 0.5) * (%(end)s::timestamptz - %(start)s) / %(events)s AS at) t
 WHERE m.slug = 'requests'
"""
ROLLUPS = """
INSERT INTO {table} (organization_id, account_id, bucket, meter_id, key_id, environment, {endpoint} requests, failed,
                     quantity, credits)
SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z'), meter_id, key_id, environment,
       {endpoint} count(*), count(*) FILTER (WHERE failed), sum(quantity), sum(credits)
  FROM usage_event GROUP BY organization_id, account_id, 3, meter_id, {endpoint} key_id, environment
"""
VOLUME = """
INSERT INTO usage_volume (account_id, meter_id, month, quantity, requests)
SELECT account_id, meter_id, %(start)s::date, sum(quantity), sum(requests) FROM usage_usagerollup GROUP BY 1, 2
"""
SPENT = """
INSERT INTO billing_spending (account_id, subject, month, spent)
SELECT %(organization)s, subject, %(start)s::date, %(price)s * %(events)s
  FROM unnest(ARRAY[%(organization)s, %(key)s]::uuid[]) AS subject
"""
ENTRIES = """
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 created_at)
SELECT gen_random_uuid(), %(organization)s, seq, kind, amount, sum(amount) OVER (ORDER BY seq), 'Usage', '', '{}', at
  FROM (SELECT 1 AS seq, 'purchase' AS kind, %(credits)s::numeric AS amount, %(start)s::timestamptz AS at
        UNION ALL
        SELECT entry_seq, 'usage', -sum(credits), max(recorded_at) FROM usage_event GROUP BY entry_seq) e
"""
GRANT = """
INSERT INTO billing_grant (id, account_id, entry_seq, category, priority, amount, remaining, created_at)
VALUES (gen_random_uuid(), %(organization)s, 1, 'paid', 50, %(credits)s, %(credits)s, %(start)s)
"""
ACCOUNT = """
INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at)
SELECT %(organization)s, sum(amount), 0, 0, count(*), %(end)s FROM billing_ledgerentry
 WHERE account_id = %(organization)s
"""


def fill(connection: Connection, *, organization: UUID, key: UUID, events: int, now: datetime) -> None:
    """Write `events` usage events in the previous month, for one organization that has none yet."""
    start, end = month(now)
    params = {"organization": organization, "key": key, "events": events, "start": start, "end": end, "price": PRICE}
    params |= {"per_entry": PER_ENTRY, "endpoints": ENDPOINTS, "credits": PRICE * events + 100}
    connection.execute("SET synchronous_commit = off")
    connection.execute("SET session_replication_role = replica")  # entries are inserted before their account is updated
    connection.execute(EVENTS, params)
    for table, endpoint in (("usage_usagerollup", ""), ("usage_endpointrollup", "endpoint,")):
        names = {"table": sql.Identifier(table), "endpoint": sql.SQL(endpoint)}
        connection.execute(sql.SQL(ROLLUPS).format(**names))
    for statement in (VOLUME, SPENT, ENTRIES, GRANT, ACCOUNT):
        connection.execute(statement, params)
    connection.execute("VACUUM ANALYZE")
    connection.execute("CHECKPOINT")
