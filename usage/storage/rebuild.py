"""The rollups and the volumes, computed anew from the events and the voids: for after something else wrote to them.

A few payers at a time, under their locks, in one transaction: readers see the old figures until the new ones are
there, and what is killed has changed nothing. Only rows that are wrong are written. What was spent is not computed
anew: what a node spent before it was moved stays with those that were above it then, and no event tells who that was.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Sum

from accounts.lib import quarters, sql
from accounts.models import Organization
from billing.ledger import posting
from billing.models import LedgerAccount
from usage.models import RetiredPartition, UsageRollup, Volume

MOST_PAYERS, MOST_REQUESTS = 200, 100_000  # of a transaction, unless one payer alone has more

# So that no month is retired between the look at what is, and at the events.
HOLD_RETENTION = "LOCK TABLE usage_retiredpartition IN SHARE MODE"

# Voids are few: they are counted apart and taken off, so that the one pass over the events looks for none.
BY_ENDPOINT = sql.compose(
    """
CREATE TEMPORARY TABLE anew_endpointrollup AS
SELECT organization_id, account_id, bucket, meter_id, key_id, environment, endpoint, sum(requests)::bigint AS requests,
       sum(failed)::bigint AS failed, sum(quantity) AS quantity, sum(credits) AS credits
  FROM (SELECT organization_id, account_id, {bucket} AS bucket, meter_id, key_id,
               environment, endpoint, count(*) AS requests, count(*) FILTER (WHERE failed) AS failed,
               sum(quantity) AS quantity, sum(credits) AS credits
          FROM usage_event WHERE account_id = ANY(%(accounts)s::uuid[]) GROUP BY 1, 2, 3, 4, 5, 6, 7
         UNION ALL
        SELECT e.organization_id, e.account_id, {voided_bucket}, e.meter_id, e.key_id,
               e.environment, e.endpoint, -1, -e.failed::int, -e.quantity, -e.credits
          FROM usage_eventvoid v JOIN usage_event e
            ON (e.account_id, e.organization_id, e.id, e.recorded_at)
             = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
         WHERE v.account_id = ANY(%(accounts)s::uuid[])) counted
 GROUP BY 1, 2, 3, 4, 5, 6, 7 HAVING sum(requests) > 0
""",
    bucket=quarters.sql_floor("occurred_at"),
    voided_bucket=quarters.sql_floor("e.occurred_at"),
)

# Of what was just computed, retired events included, instead of another pass over the events.
BY_METER = """
CREATE TEMPORARY TABLE anew_usagerollup AS
SELECT organization_id, account_id, bucket, meter_id, key_id, environment, sum(requests)::bigint AS requests,
       sum(failed)::bigint AS failed, sum(quantity) AS quantity, sum(credits) AS credits
  FROM usage_endpointrollup WHERE account_id = ANY(%(accounts)s::uuid[]) AND requests > 0
 GROUP BY 1, 2, 3, 4, 5, 6
"""

# Two statements for each table. `{key}` is its unique key, less the API key, which may be null.
SAME = """
(n.environment, n.requests, n.failed, n.quantity, n.credits, coalesce(n.key_id, n.organization_id))
= (r.environment, r.requests, r.failed, r.quantity, r.credits, coalesce(r.key_id, r.organization_id))
"""
DELETE_WRONG = """
DELETE FROM usage_{table} r
 WHERE r.account_id = ANY(%(accounts)s::uuid[]) AND r.bucket >= %(horizon)s::timestamptz
   AND NOT EXISTS (SELECT FROM anew_{table} n WHERE ({n_key}) = ({r_key}) AND {same})
"""

# Only a row that counts what was retired is still there with other figures: it is raised, and never lowered.
INSERT_MISSING = """
INSERT INTO usage_{table} AS r (organization_id, account_id, bucket, meter_id, key_id, environment, {endpoint} requests,
                                failed, quantity, credits)
SELECT organization_id, account_id, bucket, meter_id, key_id, environment, {endpoint} requests, failed, quantity,
       credits
  FROM anew_{table} n
 WHERE NOT EXISTS (SELECT FROM usage_{table} r WHERE ({n_key}) = ({r_key}) AND {same})
ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id {conflict}) DO UPDATE
   SET requests = greatest(r.requests, excluded.requests), failed = greatest(r.failed, excluded.failed),
       quantity = greatest(r.quantity, excluded.quantity), credits = greatest(r.credits, excluded.credits)
"""

VOLUMES = """
WITH anew AS (
    SELECT r.account_id, r.meter_id, m.month, sum(r.quantity) AS quantity, sum(r.requests) AS requests
      FROM usage_usagerollup r
      JOIN unnest(%(payers)s::uuid[], %(buckets)s::timestamptz[], %(months)s::date[]) AS m(account_id, bucket, month)
        ON (m.account_id, m.bucket) = (r.account_id, r.bucket)
     WHERE r.account_id = ANY(%(accounts)s::uuid[]) AND r.environment = 'live' AND r.requests > 0 GROUP BY 1, 2, 3),
gone AS (
    DELETE FROM usage_volume v WHERE v.account_id = ANY(%(accounts)s::uuid[])
       AND NOT EXISTS (SELECT FROM anew WHERE (anew.account_id, anew.meter_id, anew.month)
                                            = (v.account_id, v.meter_id, v.month)))
INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
SELECT account_id, meter_id, month, quantity, requests FROM anew
ON CONFLICT (account_id, meter_id, month) DO UPDATE
   SET quantity = excluded.quantity, requests = excluded.requests
"""


def rebuild(organization_ids: Collection[UUID] | None = None) -> int:
    """Compute them anew for the payers of these organizations, for all unless given; how many payers that were.

    Usage of a payer waits for its turn to end. Of months that were retired, nothing is lowered.
    """
    accounts = LedgerAccount.objects.order_by("pk")
    if organization_ids is not None:
        named = Organization.objects.filter(pk__in=organization_ids)
        accounts = accounts.filter(pk__in=named.values("root_id"))
    payers = list(accounts.values_list("pk", "organization__timezone"))
    for some in _together(payers):
        _rebuild(some)
    return len(payers)


def _together(payers: list[tuple[UUID, str]]) -> Iterator[dict[UUID, str]]:
    """Payers with little usage together, those with much each alone: nobody waits long."""
    sizes = dict(Volume.objects.values_list("account_id").annotate(Sum("requests")))
    some: dict[UUID, str] = {}
    size = 0
    for account, timezone in payers:
        if some and (len(some) == MOST_PAYERS or size + sizes.get(account, 0) > MOST_REQUESTS):
            yield some
            some, size = {}, 0
        some[account] = timezone
        size += sizes.get(account, 0)
    if some:
        yield some


@transaction.atomic
def _rebuild(zones: Mapping[UUID, str]) -> None:
    """Of payers with their time zones."""
    with connection.cursor() as cursor:
        cursor.execute(HOLD_RETENTION)
        posting.lock(zones)
        about: dict[str, Any] = {
            "accounts": list(zones),
            "horizon": RetiredPartition.objects.horizon() or "-infinity",
        }
        for compute, table, endpoint in (
            (BY_ENDPOINT, "endpointrollup", "endpoint"),
            (BY_METER, "usagerollup", ""),
        ):
            cursor.execute(compute, about)
            cursor.execute(f"ANALYZE anew_{table}")
            for statement in (DELETE_WRONG, INSERT_MISSING):
                cursor.execute(_about(statement, table, endpoint), about)
            cursor.execute(f"DROP TABLE anew_{table}")
        cursor.execute(VOLUMES, {**about, **_months(zones)})


def _about(statement: str, table: str, endpoint: str) -> str:
    """The statement for one of the two tables."""
    key = ["account_id", "organization_id", "bucket", "meter_id", *([endpoint] if endpoint else [])]
    return statement.format(
        table=table,
        endpoint=endpoint and f"{endpoint},",
        conflict=endpoint and f", {endpoint}",
        n_key=", ".join(f"n.{column}" for column in key),
        r_key=", ".join(f"r.{column}" for column in key),
        same=SAME,
    )


def _months(zones: Mapping[UUID, str]) -> dict[str, list[Any]]:
    """The month of its payer's that each quarter of an hour lies in; PostgreSQL may not know the time zone."""
    live = UsageRollup.objects.filter(account_id__in=zones, environment="live")
    found = list(live.values_list("account_id", "bucket").distinct())
    return {
        "payers": [account for account, _ in found],
        "buckets": [bucket for _, bucket in found],
        "months": [quarters.month_of_quarter(quarters.number_of(bucket), zones[account]) for account, bucket in found],
    }
