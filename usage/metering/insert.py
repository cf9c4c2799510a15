"""One statement that inserts events, which are new, and folds them into all that is counted."""

import json
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError

from accounts.lib import exact_json, quarters, sql
from accounts.lib.money import ZERO
from accounts.lib.problems import Problem
from billing.ledger.balances import Locked
from usage.metering.lookup import Owner, Terms
from usage.metering.parsing import Event

BETWEEN = "\x1f"  # stands in no text that is printable, and in no JSON
# Left to itself, PostgreSQL plans anew for each batch, in more time than it takes to record one event.
PLANNED_ONCE = "SET LOCAL plan_cache_mode = force_generic_plan"

Identity = tuple[str, str]  # an organization, in hexadecimal digits, and its id of an event
ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"
COUNTED = ("term", "quarter", "failed", "quantity", "credits")  # columns of what is added up

# A moment comes as microseconds since 1970, which takes half the time of a text. `alike` are the same events, where
# those that differ in nothing that is counted are one row with their number: far fewer to add up. All that is counted
# adds up what `by_endpoint` did, in the order of its key.
RECORD = sql.compose(
    """
WITH terms AS MATERIALIZED (
    SELECT t.term, t.meter, t.endpoint, o.*
      FROM json_to_recordset(%(terms)s::json) AS t(term int, owner int, meter bigint, endpoint text)
      JOIN json_to_recordset(%(owners)s::json) AS o(owner int, organization uuid, account uuid, key uuid,
           environment text, entry_seq bigint, closed_through timestamptz) USING (owner)),
recorded AS (
    INSERT INTO usage_event (account_id, organization_id, id, key_id, meter_id, environment, endpoint, quantity, failed,
                             credits, entry_seq, occurred_at, recorded_at, properties, hold_id, late)
    SELECT t.account, t.organization, e.id, t.key, t.meter, t.environment, t.endpoint, e.quantity, e.failed, e.credits,
           CASE WHEN e.credits > 0 THEN t.entry_seq END, exact.occurred_at, %(now)s,
           coalesce(e.properties::jsonb, '{{}}'), e.hold, coalesce(exact.occurred_at < t.closed_through, false)
      FROM unnest(%(term)s::int[], %(id)s::text[], %(quantity)s::numeric[], %(failed)s::bool[], %(credits)s::numeric[],
                  %(moment)s::bigint[], %(properties)s::text[], %(hold)s::uuid[])
           AS e(term, id, quantity, failed, credits, moment, properties, hold)
     CROSS JOIN LATERAL (SELECT {occurred_at} AS occurred_at) exact
      JOIN terms t USING (term)),
endpoints AS (
    SELECT t.organization AS organization_id, t.account AS account_id,
           {bucket} AS bucket, t.meter AS meter_id, t.key AS key_id,
           t.environment, t.endpoint, sum(alike.number) AS requests,
           coalesce(sum(alike.number) FILTER (WHERE alike.failed), 0) AS failed,
           sum(alike.number * alike.quantity) AS quantity, sum(alike.number * alike.credits) AS credits
      FROM unnest(%(alike_term)s::int[], %(alike_quarter)s::bigint[], %(alike_failed)s::bool[],
                  %(alike_quantity)s::numeric[], %(alike_credits)s::numeric[], %(alike_number)s::int[])
           AS alike(term, quarter, failed, quantity, credits, number)
      JOIN terms t USING (term) GROUP BY 1, 2, 3, 4, 5, 6, 7),
meters AS (
    SELECT organization_id, account_id, bucket, meter_id, key_id, environment, sum(requests) AS requests,
           sum(failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
      FROM endpoints GROUP BY 1, 2, 3, 4, 5, 6),
by_endpoint AS (
    INSERT INTO usage_endpointrollup AS r (organization_id, account_id, bucket, meter_id, key_id, environment, endpoint,
                                           requests, failed, quantity, credits)
    SELECT * FROM endpoints ORDER BY account_id, organization_id, bucket, meter_id, key_id, endpoint
    ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id, endpoint) DO UPDATE
       SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
           quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits),
by_meter AS (
    INSERT INTO usage_usagerollup AS r (organization_id, account_id, bucket, meter_id, key_id, environment, requests,
                                        failed, quantity, credits)
    SELECT * FROM meters ORDER BY account_id, organization_id, bucket, meter_id, key_id
    ON CONFLICT (account_id, organization_id, bucket, meter_id, key_id) DO UPDATE
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
SELECT account_id, sum(credits) FROM meters WHERE credits > 0 GROUP BY 1
""",
    occurred_at=quarters.sql_moment("e.moment"),
    bucket=quarters.sql_start_of("alike.quarter"),
)


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
    """Events that are inserted together, and all of the statement's parameters that need no lock."""

    events: Collection[Rated]
    owners: Collection[Owner]
    parameters: Mapping[str, Any]


def distinct(batch: Iterable[Rated], known: Collection[Identity] = ()) -> dict[Identity, Rated]:
    """What is to be inserted: of two with one identity, the first; what is `known` or was refused, not at all."""
    first: dict[Identity, Rated] = {}
    for one in batch:
        identity = one.terms.owner.tenant, one.event.id
        if identity not in first and identity not in known and one.outcome != REJECTED:
            first[identity] = one
    return first


def prepare(events: Collection[Rated], now: datetime) -> Prepared:
    """What can be made of them before the lock. No two have one identity."""
    terms = {one.terms for one in events}
    columns = _columns(events)
    alike = Counter(zip(*(columns[name] for name in COUNTED), strict=True))
    parameters = {
        **{name: _plain(column) for name, column in columns.items()},
        **_alike(alike),
        "id": _quoted([one.event.id for one in events]),
        "properties": _properties(events),
        "terms": json.dumps([_term(one) for one in terms]),
        "months": json.dumps(_months(terms, alike)),
        "now": now,
    }
    return Prepared(events, {one.owner for one in terms}, parameters)


def insert(prepared: Prepared, locked: Mapping[UUID, Locked]) -> dict[UUID, Decimal]:
    """Insert the events, which are new, and mark them as accepted; what each payer owes, who owes anything.

    `locked` are all payers.
    """
    owners = json.dumps([_owner(owner, locked[owner.account]) for owner in prepared.owners])
    statement = (RECORD, {**prepared.parameters, "owners": owners})
    try:
        debits = sql.in_one_trip((PLANNED_ONCE, {}), statement)[1]
    except IntegrityError as error:
        if "no partition" not in str(error):
            raise
        raise NoPartition from error
    for one in prepared.events:
        one.outcome = ACCEPTED
    return dict(debits)


def _columns(events: Collection[Rated]) -> dict[str, list[Any]]:
    """Columns of the events, each value as PostgreSQL has it in an array: far less to make and to read than JSON."""
    found = [one.event for one in events]
    moments = [quarters.microseconds(event.occurred_at) for event in found]
    return {
        "term": [one.terms.number for one in events],
        "moment": moments,
        "quarter": [moment // quarters.MICROSECONDS for moment in moments],
        "failed": ["t" if event.failed else "f" for event in found],
        "quantity": [str(event.quantity) for event in found],
        "credits": [str(one.credits) for one in events],
        "hold": [event.hold.hex if event.hold else "NULL" for event in found],
    }


def _alike(alike: Mapping[tuple[Any, ...], int]) -> dict[str, str]:
    """Their columns, by the names that the statement has for them."""
    columns = zip((*COUNTED, "number"), (*zip(*alike, strict=True), alike.values()), strict=True)
    return {f"alike_{name}": _plain(column) for name, column in columns}


def _months(terms: Iterable[Terms], alike: Iterable[tuple[Any, ...]]) -> list[dict[str, str]]:
    """The month, there, of each payer's quarters of an hour."""
    owners = {one.number: one.owner for one in terms}
    distinct = {(owners[term].account, owners[term].timezone, quarter) for term, quarter, *_ in alike}
    return [_month(*quarter) for quarter in distinct]


def _properties(events: Iterable[Rated]) -> str | None:
    """None where no event has any."""
    found = [one.event.properties for one in events]
    return _quoted([_json(one) if one else "{}" for one in found]) if any(found) else None


def _plain(values: Iterable[Any]) -> str:
    return f"{{{','.join(map(str, values))}}}"


def _quoted(values: list[str]) -> str:
    """An array of texts without control characters: they are printable, or JSON."""
    together = BETWEEN.join(values)
    if "\\" in together or '"' in together:
        together = together.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + together.replace(BETWEEN, '","') + '"}'


def _json(properties: Mapping[str, Any]) -> str:
    return exact_json.dumps(properties)


def _term(terms: Terms) -> dict[str, Any]:
    return {"term": terms.number, "owner": terms.owner.number, "meter": terms.meter, "endpoint": terms.endpoint}


def _owner(owner: Owner, locked: Locked) -> dict[str, Any]:
    return {
        "owner": owner.number,
        "organization": owner.tenant,
        "account": owner.account.hex,
        "key": owner.key.hex if owner.key else None,
        "environment": owner.environment,
        "entry_seq": locked.next_seq,
        "closed_through": locked.closed_through.isoformat() if locked.closed_through else None,
    }


def _month(account: UUID, timezone: str, number: int) -> dict[str, str]:
    month = quarters.month_of_quarter(number, timezone)
    return {"account": account.hex, "bucket": quarters.start_of(number).isoformat(), "month": month.isoformat()}
