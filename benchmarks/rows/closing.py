"""Closing a month of many payers, papers included, compared with one GROUP BY over the same events.

There is a payer for each 1,000 events (`--events`). It uses two meters for an hour of every day. Nine of ten payers
pay in advance and get a statement; the tenth owes what it used and gets an invoice.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from time import perf_counter

import psycopg

from benchmarks import filling, stage
from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare
from benchmarks.processes import Crew

EVENTS_OF_A_PAYER = 1000
PROCESSES = 2
ROUNDS = 3

PAYERS = """
CREATE TABLE bench_payer AS
SELECT n, ('00000000-0000-7000-9000-' || lpad(n::text, 12, '0'))::uuid AS id, n %% 10 = 0 AS is_postpaid,
       CASE WHEN n %% 10 = 0 THEN 0.1 ELSE 100 END AS bought
  FROM generate_series(1, %(payers)s) AS n;
INSERT INTO accounts_organization (id, public_id, auth_id, name, root_id, path, status, timezone, created_at)
SELECT id, 'acct_' || lpad(n::text, 16, '0'), 'MA' || lpad(n::text, 18, '0'), 'Payer ' || n, id, ARRAY[id], 'active',
       'UTC', %(start)s::timestamptz FROM bench_payer;
INSERT INTO billing_billingaccount (id, public_id, organization_id, name, email, currency, country, city, line1, line2,
                                    postal_code, state, created_at, billing_mode)
SELECT id, 'cus_' || lpad(n::text, 14, '0'), id, 'Payer ' || n, 'payer@example.com', 'USD', 'US', '', '', '', '', '',
       %(start)s::timestamptz, CASE WHEN is_postpaid THEN 'postpaid' ELSE 'prepaid' END FROM bench_payer
"""
EVENTS = """
INSERT INTO usage_event (organization_id, id, account_id, meter_id, environment, endpoint, quantity, failed, credits,
                         entry_seq, occurred_at, recorded_at, properties)
SELECT p.id, 'event-' || e, p.id, m.id, 'live', '/v1/things', 1, e %% 10 = 0, m.unit_amount, 2 + e / %(per_entry)s, at,
       at, '{}'
  FROM bench_payer p
 CROSS JOIN generate_series(0, %(each)s - 1) AS e
  JOIN (SELECT meter_id AS id, unit_amount, row_number() OVER (ORDER BY meter_id) - 1 AS place FROM billing_price) m
    ON m.place = e %% 2
 CROSS JOIN LATERAL (SELECT %(start)s::timestamptz + e / (%(each)s / 25) * interval '1 day'
                            + e %% (%(each)s / 25) * interval '1 minute' AS at) t
"""
VOLUMES = """
INSERT INTO usage_volume (account_id, meter_id, month, quantity, requests)
SELECT account_id, meter_id, %(start)s::date, sum(quantity), sum(requests) FROM usage_usagerollup GROUP BY 1, 2
"""
SPENT = """
INSERT INTO billing_spending (account_id, subject, month, spent)
SELECT account_id, account_id, %(start)s::date, sum(credits) FROM usage_usagerollup GROUP BY 1
"""
ENTRIES = """
INSERT INTO billing_ledgerentry (id, account_id, seq, kind, amount, balance_after, description, reference, metadata,
                                 created_at)
SELECT gen_random_uuid(), account_id, seq, kind, amount, sum(amount) OVER (PARTITION BY account_id ORDER BY seq),
       'Usage', '', '{}', at
  FROM (SELECT id AS account_id, 1 AS seq, 'purchase' AS kind, bought AS amount, %(start)s::timestamptz AS at
          FROM bench_payer
         UNION ALL
        SELECT account_id, entry_seq, 'usage', -sum(credits), max(recorded_at) FROM usage_event GROUP BY 1, 2) e
"""
GRANTS = """
INSERT INTO billing_grant (id, account_id, entry_seq, category, priority, amount, remaining, created_at)
SELECT gen_random_uuid(), id, 1, 'paid', 50, bought, bought, %(start)s FROM bench_payer
"""
ACCOUNTS = """
INSERT INTO billing_ledgeraccount (organization_id, balance, reserved, credit_limit, seq, updated_at)
SELECT account_id, sum(amount), 0, 0, count(*), %(end)s
  FROM billing_ledgerentry e JOIN bench_payer p ON p.id = account_id GROUP BY 1
"""

# Without the outer sums, PostgreSQL would skip aggregates that nobody reads.
GROUP = """
SELECT count(*), sum(requests), sum(failed), sum(quantity), sum(credits) FROM (
    SELECT account_id, organization_id, meter_id, count(*) AS requests, count(*) FILTER (WHERE failed) AS failed,
           sum(quantity) AS quantity, sum(credits) AS credits
      FROM usage_event WHERE environment = 'live' GROUP BY 1, 2, 3) months
"""

# Opens the month again, for the next round. Triggers refuse that otherwise.
OPEN = """
SET session_replication_role = replica;
TRUNCATE usage_monthlyusage, usage_monthclose, billing_invoice, billing_invoiceline, billing_invoicestate,
         billing_invoiceseries, accounts_event, accounts_unpublishedevent CASCADE;
UPDATE billing_ledgeraccount SET closed_through = NULL WHERE closed_through IS NOT NULL;
RESET session_replication_role;
VACUUM ANALYZE billing_ledgeraccount
"""


def close(number: int) -> Callable[[], int]:
    """Client process: close the months of its share of the payers, as a worker does."""
    from usage.storage import closing

    now = datetime.now(UTC)

    def once() -> int:
        batches = list(closing.batches(now))[number::PROCESSES]
        closed = sum(len(closing.close_ended(payers, now)) for payers in batches)
        assert closed
        return closed

    return once


def group(number: int) -> Callable[[], int]:
    """Client process: run the GROUP BY."""
    from django.db import connection

    def once() -> int:
        with connection.cursor() as cursor:
            cursor.execute(GROUP)
            assert cursor.fetchone()[0]
        return 1

    return once


def measure(cast: Cast, options: Options) -> Row:
    payers = max(options.events // EVENTS_OF_A_PAYER, PROCESSES)
    what = f"a month closed for {payers:,} payers with {payers * EVENTS_OF_A_PAYER:,} events, papers included"
    with stage.database("closing") as database:
        _fill(database, payers)
        with (
            Crew(f"{__name__}:close", PROCESSES, database=database) as ours,
            Crew(f"{__name__}:group", 1, database=database) as theirs,
            stage.connect(database) as connection,
        ):

            def close_all() -> float:
                for statement in OPEN.split(";"):
                    connection.execute(statement)
                return ours.once()

            pair = compare(close_all, theirs.once, min(ROUNDS, options.rounds))
        with Crew("benchmarks.rows.reading:check_ledger", 1, database=database) as proof:
            proof.once()
    return Row(what, "one SQL GROUP BY over the same events", 3, at_most=True, unit="s", **pair.columns)


def _fill(database: str, payers: int) -> None:
    began = perf_counter()
    start, end = filling.month(datetime.now(UTC))
    params = {"payers": payers, "each": EVENTS_OF_A_PAYER, "start": start, "end": end}
    params |= {"per_entry": filling.PER_ENTRY}
    with stage.connect(database) as connection:
        connection.execute("SET synchronous_commit = off")
        connection.execute("SET session_replication_role = replica")
        for statement in (*PAYERS.split(";"), EVENTS):
            connection.execute(statement, params)
        for table, endpoint in (("usage_usagerollup", ""), ("usage_endpointrollup", "endpoint,")):
            names = {"table": psycopg.sql.Identifier(table), "endpoint": psycopg.sql.SQL(endpoint)}
            connection.execute(psycopg.sql.SQL(filling.ROLLUPS).format(**names))
        for statement in (VOLUMES, SPENT, ENTRIES, GRANTS, ACCOUNTS):
            connection.execute(statement, params)
        connection.execute("VACUUM ANALYZE")
    with Crew("benchmarks.rows.reading:check_ledger", 1, database=database) as crew:
        crew.once()
    stage.say(f"  {payers:,} payers filled in ({perf_counter() - began:.0f} s)")
