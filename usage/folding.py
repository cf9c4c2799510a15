"""One statement that inserts the events that are new, and folds them into all that is counted."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import simplejson
from django.db import IntegrityError

from accounts import sql
from accounts.exceptions import Problem
from billing.ledger import Locked
from billing.money import ZERO
from usage import partitions, periods
from usage.catalog import Owner, Terms
from usage.events import Event
from usage.periods import quarter

DEDUPLICATION_WINDOW = timedelta(days=35)
BETWEEN = "\x1f"  # stands in no text that is printable, and in no JSON
# Left to itself, PostgreSQL plans anew for each batch, in more time than it takes to record one event.
PLANNED_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan"

Identity = tuple[str, str]  # an organization, in hexadecimal digits, and its id of an event
ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"

# Events that another leaf of the window knows are left out; those of this month's leaf by its unique index. All that is
# counted adds up what `by_endpoint` did, and is written in the order of its key.
RECORD = """
WITH fresh AS (
    INSERT INTO usage_event (organization_id, id, account_id, key_id, meter_id, environment, endpoint, quantity, failed,
                             credits, entry_seq, occurred_at, recorded_at, properties, hold_id, late)
    SELECT o.organization, e.id, o.account, o.key, e.meter, o.environment, e.endpoint, e.quantity, e.failed, e.credits,
           CASE WHEN e.credits > 0 THEN o.entry_seq END, e.occurred_at, %(now)s, coalesce(e.properties::jsonb, '{}'),
           e.hold, coalesce(e.occurred_at < o.closed_through, false)
      FROM unnest(%(owner)s::int[], %(id)s::text[], %(meter)s::bigint[], %(endpoint)s::text[], %(quantity)s::numeric[],
                  %(failed)s::bool[], %(credits)s::numeric[], %(occurred_at)s::timestamptz[], %(properties)s::text[],
                  %(hold)s::uuid[])
           AS e(owner, id, meter, endpoint, quantity, failed, credits, occurred_at, properties, hold)
      JOIN json_to_recordset(%(owners)s::json) AS o(owner int, organization uuid, account uuid, key uuid,
           environment text, entry_seq bigint, closed_through timestamptz) USING (owner)
     WHERE NOT EXISTS (
           SELECT FROM usage_event seen WHERE seen.organization_id = o.organization AND seen.id = e.id
              AND (seen.recorded_at >= %(window)s AND seen.recorded_at < %(month)s OR seen.recorded_at >= %(next)s))
    ON CONFLICT DO NOTHING
    RETURNING organization_id, id, account_id, key_id, meter_id, environment, endpoint, quantity, failed, credits,
              occurred_at),
endpoints AS (
    SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z') AS bucket, meter_id, key_id,
           environment, endpoint, count(*) AS requests, count(*) FILTER (WHERE failed) AS failed,
           sum(quantity) AS quantity, sum(credits) AS credits
      FROM fresh GROUP BY 1, 2, 3, 4, 5, 6, 7),
meters AS (
    SELECT organization_id, account_id, bucket, meter_id, key_id, environment, sum(requests) AS requests,
           sum(failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
      FROM endpoints GROUP BY 1, 2, 3, 4, 5, 6),
by_endpoint AS (
    INSERT INTO usage_endpointrollup AS r (organization_id, account_id, bucket, meter_id, key_id, environment, endpoint,
                                           requests, failed, quantity, credits)
    SELECT * FROM endpoints ORDER BY organization_id, bucket, meter_id, key_id, endpoint
    ON CONFLICT (organization_id, bucket, meter_id, key_id, endpoint) DO UPDATE
       SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
           quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits),
by_meter AS (
    INSERT INTO usage_usagerollup AS r (organization_id, account_id, bucket, meter_id, key_id, environment, requests,
                                        failed, quantity, credits)
    SELECT * FROM meters ORDER BY organization_id, bucket, meter_id, key_id
    ON CONFLICT (organization_id, bucket, meter_id, key_id) DO UPDATE
       SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
           quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits),
monthly AS (
    SELECT m.account_id, m.organization_id, m.key_id, m.meter_id, m.environment, c.month, m.requests, m.quantity,
           m.credits
      FROM meters m JOIN json_to_recordset(%(months)s::json) AS c(account uuid, bucket timestamptz, month date)
        ON c.account = m.account_id AND c.bucket = m.bucket),
by_volume AS (
    INSERT INTO usage_volume AS v (account_id, meter_id, month, quantity, requests)
    SELECT account_id, meter_id, month, sum(quantity), sum(requests) FROM monthly
     WHERE environment = 'live' GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (account_id, meter_id, month) DO UPDATE
       SET quantity = v.quantity + excluded.quantity, requests = v.requests + excluded.requests),
by_subject AS (
    INSERT INTO billing_spending AS s (account_id, subject, month, spent)
    SELECT m.account_id, subject, m.month, sum(m.credits)
      FROM monthly m JOIN accounts_organization o ON o.id = m.organization_id
     CROSS JOIN unnest(array_append(o.path, m.key_id)) AS subject
     WHERE m.credits > 0 AND subject IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (account_id, subject, month) DO UPDATE SET spent = s.spent + excluded.spent)
SELECT organization_id, account_id, array_agg(id), sum(credits) FROM fresh GROUP BY 1, 2
"""


class NoPartition(Problem):
    """There is no partition for this month yet: the event is not taken, so that it can't be lost."""

    status = 503
    code = "not_ready"
    detail = "Usage can't be recorded at this moment. Send the same events again."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "60"})


@dataclass(slots=True, eq=False)
class Rated:
    """An event on its terms, what it is charged (by tiers, only under the lock), and what became of it."""

    event: Event
    terms: Terms
    credits: Decimal = ZERO
    outcome: str = DUPLICATE

    @property
    def identity(self) -> Identity:
        return self.terms.owner.tenant, self.event.id


@dataclass(frozen=True)
class Prepared:
    """Events of which no two have one identity, and all of the statement's parameters that need no lock."""

    events: Mapping[Identity, Rated]
    owners: Collection[Owner]
    parameters: Mapping[str, Any]


def prepare(batch: Iterable[Rated], now: datetime) -> Prepared:
    """What is to be inserted: of two with one identity, the first; what was refused, not at all."""
    first: dict[Identity, Rated] = {}
    for one in batch:
        if one.outcome != REJECTED:
            first.setdefault(one.identity, one)
    month, following = partitions.month_bounds(now)
    used = {(one.terms.owner, quarter(one.event.occurred_at)) for one in first.values()}
    quarters = {(owner.account, owner.timezone, number) for owner, number in used}
    parameters = {
        **_columns(first.values()),
        "months": json.dumps([_month(*found) for found in quarters]),
        "now": now,
        "window": now - DEDUPLICATION_WINDOW,
        "month": month,
        "next": following,
    }
    return Prepared(first, {owner for owner, _ in used}, parameters)


def insert(prepared: Prepared, locked: Mapping[UUID, Locked]) -> dict[UUID, Decimal]:
    """Insert what is new, and mark it as accepted; what each payer owes for it, who owes anything.

    `locked` are all payers.
    """
    owners = json.dumps([_owner(owner, locked[owner.account]) for owner in prepared.owners])
    statement = (RECORD, {**prepared.parameters, "owners": owners})
    try:
        found = sql.in_one_trip((PLANNED_ONCE, {}), statement)[1]
    except IntegrityError as error:
        if "no partition" not in str(error):
            raise
        raise NoPartition from error
    debits: dict[UUID, Decimal] = {}
    for organization, account, ids, credits in found:
        tenant = organization.hex
        for id in ids:
            prepared.events[tenant, id].outcome = ACCEPTED
        if credits:
            debits[account] = debits.get(account, ZERO) + credits
    return debits


def _columns(batch: Collection[Rated]) -> dict[str, str]:
    """The columns of the events, each an array as PostgreSQL writes it: far less to make and to read than JSON."""
    found = [one.event for one in batch]
    return {
        "owner": _plain([str(one.terms.owner.number) for one in batch]),
        "id": _quoted([event.id for event in found]),
        "meter": _plain([str(one.terms.meter) for one in batch]),
        "endpoint": _quoted([event.endpoint for event in found]),
        "quantity": _plain([str(event.quantity) for event in found]),
        "failed": _plain(["t" if event.failed else "f" for event in found]),
        "credits": _plain([str(one.credits) for one in batch]),
        "occurred_at": _plain([event.occurred_at.isoformat() for event in found]),
        "properties": _quoted([_json(event.properties) if event.properties else "{}" for event in found]),
        "hold": _plain([event.hold.hex if event.hold else "NULL" for event in found]),
    }


def _plain(values: list[str]) -> str:
    return f"{{{','.join(values)}}}"


def _quoted(values: list[str]) -> str:
    """An array of texts without control characters: they are printable, or JSON."""
    together = BETWEEN.join(values)
    if "\\" in together or '"' in together:
        together = together.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + together.replace(BETWEEN, '","') + '"}'


def _json(properties: Mapping[str, Any]) -> str:
    text: str = simplejson.dumps(properties, use_decimal=True)
    return text


def _owner(owner: Owner, locked: Locked) -> dict[str, Any]:
    return {
        "owner": owner.number,
        "organization": owner.tenant,
        "account": owner.account.hex,
        "key": owner.key.hex if owner.key else None,
        "environment": owner.environment,
        "entry_seq": locked.seq + 1,
        "closed_through": locked.closed_through.isoformat() if locked.closed_through else None,
    }


def _month(account: UUID, timezone: str, number: int) -> dict[str, str]:
    bucket = periods.EPOCH + number * periods.QUARTER
    month = periods.month_of_quarter(number, timezone)
    return {"account": account.hex, "bucket": bucket.isoformat(), "month": month.isoformat()}
