"""Computes rollups, volumes and spending again from events, voids and captures, in case something else wrote to them.

A few payers at a time, under their locks, in one transaction: readers see the old figures until the new ones are
there, and a rebuild that is killed has changed nothing. Only wrong rows are written. What was spent before a node was
moved stays with those above it at that time.
"""

from collections.abc import Collection, Iterator
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum
from django.utils import timezone

from accounts.lib import distribution, quarters, sql
from accounts.models import Organization
from billing.ledger import posting
from billing.models import LedgerAccount
from usage.models import RetiredPartition, Volume
from usage.storage import payer_months, places, spending

MOST_PAYERS, MOST_REQUESTS = 200, 100_000  # in one transaction, unless a single payer has more

# Keeps a month from being retired after its events were read.
HOLD_RETENTION = "LOCK TABLE usage_retiredpartition IN SHARE MODE"

# The key columns of both rollup tables. One of them also has the endpoint.
KEY = "account_id, organization_id, bucket, meter_id, key_id, environment"

EVENTS = sql.compose(
    """
        SELECT account_id, organization_id, {bucket} AS bucket, meter_id, key_id, environment, endpoint,
               count(*) AS requests, count(*) FILTER (WHERE failed) AS failed, sum(quantity) AS quantity,
               sum(credits) AS credits
          FROM usage_event WHERE account_id = ANY(%(accounts)s::uuid[]) GROUP BY 1, 2, 3, 4, 5, 6, 7""",
    bucket=quarters.sql_floor("occurred_at"),
)

# Voids are few, so they are subtracted here, instead of looked for beside each event.
VOIDS = sql.compose(
    """
        SELECT e.account_id, e.organization_id, {bucket}, e.meter_id, e.key_id, e.environment, e.endpoint,
               -1, -e.failed::int, -e.quantity, -e.credits
          FROM usage_eventvoid v JOIN usage_event e
            ON (e.account_id, e.organization_id, e.id, e.recorded_at)
             = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
         WHERE v.account_id = ANY(%(accounts)s::uuid[]) AND e.account_id = ANY(%(accounts)s::uuid[])""",
    bucket=quarters.sql_floor("e.occurred_at"),
)

SUMMED_EVENTS = sql.compose(
    """
SELECT {key}, endpoint, sum(requests)::bigint AS requests, sum(failed)::bigint AS failed, sum(quantity) AS quantity,
       sum(credits) AS credits
  FROM ({events} UNION ALL {voids}) counted
 GROUP BY {key}, endpoint HAVING sum(requests) > 0
""",
    key=KEY,
    events=EVENTS,
    voids=VOIDS,
)
NEW_BY_ENDPOINT = f"CREATE TEMPORARY TABLE new_endpointrollup AS {SUMMED_EVENTS}"

# From the rollups by endpoint as they are now, which saves a second pass over the events and includes retired ones.
SUMMED_ROLLUPS = sql.compose(
    """
SELECT {key}, sum(requests)::bigint AS requests, sum(failed)::bigint AS failed, sum(quantity) AS quantity,
       sum(credits) AS credits
  FROM usage_endpointrollup WHERE account_id = ANY(%(accounts)s::uuid[]) AND requests > 0
 GROUP BY {key}
""",
    key=KEY,
)
NEW_BY_METER = f"CREATE TEMPORARY TABLE new_usagerollup AS {SUMMED_ROLLUPS}"

# Whether a new row says the same as a rollup's: `key_id` may be null on both sides.
SAME = """
    (n.account_id, n.organization_id, n.bucket, n.meter_id, n.environment, {n_endpoint} n.requests, n.failed,
     n.quantity, n.credits, coalesce(n.key_id, n.organization_id))
  = (r.account_id, r.organization_id, r.bucket, r.meter_id, r.environment, {r_endpoint} r.requests, r.failed,
     r.quantity, r.credits, coalesce(r.key_id, r.organization_id))"""

DELETE_WRONG = """
DELETE FROM {table} r
 WHERE r.account_id = ANY(%(accounts)s::uuid[]) AND r.bucket >= %(horizon)s::timestamptz
   AND NOT EXISTS (SELECT FROM {new} n WHERE {same})
"""

# A conflict is a row from before the horizon, which still counts retired events: it is raised, and never lowered.
INSERT_MISSING = """
INSERT INTO {table} AS r ({key}, {endpoint} requests, failed, quantity, credits)
SELECT {key}, {endpoint} requests, failed, quantity, credits
  FROM {new} n
 WHERE NOT EXISTS (SELECT FROM {table} r WHERE {same})
{raise_known}
"""
RAISE_KNOWN = """
ON CONFLICT (account_id, organization_id, bucket, meter_id, {endpoint} key_id) DO UPDATE
   SET requests = greatest(r.requests, excluded.requests), failed = greatest(r.failed, excluded.failed),
       quantity = greatest(r.quantity, excluded.quantity), credits = greatest(r.credits, excluded.credits)
"""

NEW_VOLUMES = sql.compose(
    """
    SELECT r.account_id, r.meter_id, payer_month.month, sum(r.quantity) AS quantity, sum(r.requests) AS requests
      FROM usage_usagerollup r
      JOIN {payer_months} ON payer_month.account_id = r.account_id
                         AND r.bucket >= payer_month.starts_at AND r.bucket < payer_month.ends_at
     WHERE r.account_id = ANY(%(accounts)s::uuid[]) AND r.environment = 'live' AND r.requests > 0 GROUP BY 1, 2, 3""",
    payer_months=payer_months.INTERVALS,
)
VOLUMES = sql.compose(
    """
WITH new AS ({new}),
gone AS (
    DELETE FROM usage_volume v WHERE v.account_id = ANY(%(accounts)s::uuid[])
       AND NOT EXISTS (SELECT FROM new
                        WHERE (new.account_id, new.meter_id, new.month) = (v.account_id, v.meter_id, v.month)))
INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
SELECT account_id, meter_id, month, quantity, requests FROM new
ON CONFLICT (account_id, meter_id, month) DO UPDATE
   SET quantity = excluded.quantity, requests = excluded.requests
""",
    new=NEW_VOLUMES,
)

# A row that counts nothing any more stays, with what was announced of its budget. What an organization beneath a payer
# spent in a month of retired events can't be computed.
SPENDING = sql.compose(
    """
WITH new AS (
    SELECT account_id, subject, month, sum(credits) AS spent FROM ({by_payers_and_keys} UNION ALL {beneath}) used
     GROUP BY 1, 2, 3),
gone AS (
    UPDATE billing_spending s SET spent = 0
     WHERE s.account_id = ANY(%(accounts)s::uuid[]) AND s.spent <> 0 AND (NOT ({is_beneath}) OR {is_whole})
       AND NOT EXISTS (SELECT FROM new
                        WHERE (new.account_id, new.subject, new.month) = (s.account_id, s.subject, s.month)))
INSERT INTO billing_spending AS s (account_id, subject, month, spent)
SELECT account_id, subject, month, spent FROM new
ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = excluded.spent WHERE s.spent <> excluded.spent
""",
    by_payers_and_keys=spending.by_payers_and_keys(spending.CHOSEN_PAYERS),
    beneath=spending.beneath(spending.CHOSEN_PAYERS),
    is_beneath=spending.IS_BENEATH,
    is_whole=spending.IS_WHOLE,
)


def _replacing(table: str, new: str, endpoint: str = "") -> tuple[str, str]:
    """The two statements that make a rollup table equal to the temporary table."""
    n_endpoint, r_endpoint = (f"{alias}.{endpoint}," if endpoint else "" for alias in "nr")
    same = sql.compose(SAME, n_endpoint=n_endpoint, r_endpoint=r_endpoint)
    delete = sql.compose(DELETE_WRONG, table=table, new=new, same=same)
    listed = f"{endpoint}," if endpoint else ""
    raise_known = sql.compose(RAISE_KNOWN, endpoint=listed)
    return delete, sql.compose(
        INSERT_MISSING, table=table, new=new, same=same, key=KEY, endpoint=listed, raise_known=raise_known
    )


def _written_anew(table: str, new: str, endpoint: str = "") -> tuple[str, str]:
    """The same for one payer of a distributed table, all rows of which are written: each statement goes to its machine
    as a whole."""
    parts = {"table": table, "new": new, "key": KEY, "endpoint": endpoint}
    insert = sql.compose(INSERT, **parts, raise_known=sql.compose(RAISE_KNOWN, endpoint=endpoint))
    return sql.compose(DELETE, table=table), insert


DELETE = """
DELETE FROM {table} WHERE account_id = ANY(%(accounts)s::uuid[]) AND bucket >= %(horizon)s::timestamptz
"""
INSERT = """
INSERT INTO {table} AS r ({key}, {endpoint} requests, failed, quantity, credits)
SELECT {key}, {endpoint} requests, failed, quantity, credits FROM ({new}) n
{raise_known}
"""
IS_WHOLE = "month > (%(horizon)s::timestamptz AT TIME ZONE 'UTC')::date"
ROLLUPS_ANEW = (
    *_written_anew("usage_endpointrollup", SUMMED_EVENTS, "endpoint,"),
    *_written_anew("usage_usagerollup", SUMMED_ROLLUPS),
)
MONTHS_ANEW = (
    "DELETE FROM usage_volume WHERE account_id = ANY(%(accounts)s::uuid[])",
    f"INSERT INTO usage_volume (account_id, meter_id, month, quantity, requests) {NEW_VOLUMES}",
    sql.compose(
        """
UPDATE billing_spending SET spent = 0
 WHERE account_id = ANY(%(accounts)s::uuid[]) AND spent <> 0 AND (NOT ({is_beneath}) OR {is_whole})
""",
        is_beneath=spending.IS_BENEATH,
        is_whole=IS_WHOLE,
    ),
    sql.compose(
        """
INSERT INTO billing_spending AS s (account_id, subject, month, spent)
SELECT account_id, subject, month, sum(credits) FROM ({by_payers_and_keys} UNION ALL {beneath}) used GROUP BY 1, 2, 3
ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = excluded.spent
""",
        by_payers_and_keys=spending.by_payers_and_keys(spending.CHOSEN_PAYERS),
        beneath=spending.beneath(spending.CHOSEN_PAYERS, IS_WHOLE),
    ),
)

BY_ENDPOINT = _replacing("usage_endpointrollup", "new_endpointrollup", "endpoint")
BY_METER = _replacing("usage_usagerollup", "new_usagerollup")


def rebuild(organization_ids: Collection[UUID] | None = None) -> int:
    """Rebuild the payers of these organizations, or all payers; returns how many there were.

    Meanwhile a payer's new usage waits for its turn to end. In retired months, nothing is lowered.
    """
    accounts = LedgerAccount.objects.order_by("pk")
    if organization_ids is not None:
        chosen = Organization.objects.filter(pk__in=organization_ids)
        accounts = accounts.filter(pk__in=chosen.values("root_id"))
    payers = list(accounts.values_list("pk", flat=True))
    if distribution.is_distributed():
        for payer in payers:
            _write_anew(payer)
        return len(payers)
    for batch in batches(payers):
        _rebuild(batch)
    return len(payers)


@transaction.atomic
def _write_anew(payer: UUID) -> None:
    with connection.cursor() as cursor:
        cursor.execute(HOLD_RETENTION)
        posting.lock([payer], timezone.now())
        parameters: dict[str, Any] = {
            "accounts": [payer],
            "horizon": RetiredPartition.objects.horizon() or "-infinity",
        }
        for statement in ROLLUPS_ANEW:
            cursor.execute(statement, parameters)
        parameters |= payer_months.parameters([payer]) | places.parameters([payer])  # the months of the new rollups
        for statement in MONTHS_ANEW:
            cursor.execute(statement, parameters)


def batches(payers: list[UUID]) -> Iterator[list[UUID]]:
    """Groups payers with little usage, and takes those with much one by one, so nobody waits long."""
    sizes = dict(Volume.objects.values_list("account_id").annotate(Sum("requests")))
    batch: list[UUID] = []
    size = 0
    for account in payers:
        if batch and (len(batch) == MOST_PAYERS or size + sizes.get(account, 0) > MOST_REQUESTS):
            yield batch
            batch, size = [], 0
        batch.append(account)
        size += sizes.get(account, 0)
    if batch:
        yield batch


@transaction.atomic
def _rebuild(payers: list[UUID]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(HOLD_RETENTION)
        posting.lock(payers, timezone.now())
        parameters: dict[str, Any] = {
            "accounts": payers,
            "horizon": RetiredPartition.objects.horizon() or "-infinity",
        }
        for table, create, replace in (
            ("new_endpointrollup", NEW_BY_ENDPOINT, BY_ENDPOINT),
            ("new_usagerollup", NEW_BY_METER, BY_METER),
        ):
            cursor.execute(create, parameters)
            cursor.execute(f"ANALYZE {table}")
            for statement in replace:
                cursor.execute(statement, parameters)
            cursor.execute(f"DROP TABLE {table}")
        parameters |= payer_months.parameters(payers) | places.parameters(payers)
        cursor.execute(VOLUMES, parameters)
        cursor.execute(SPENDING, parameters)
