"""Inserts new events and adds them to the rollups, volumes and spending, in one statement."""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import IntegrityError, InternalError

from accounts.lib import distribution, exact_json, quarters, sql
from accounts.lib.money import ZERO
from accounts.lib.problems import Problem
from billing.ledger.balances import Locked
from billing.ledger.billing_zone import BillingZone
from usage.metering.lookup import Owner, Terms
from usage.metering.parsing import Rejected, UsageRecord
from usage.metering.statement import PLANNED_ONCE, RECORD, RECORD_OF_ONE

SEPARATOR = "\x1f"  # in no printable text, and in no JSON

Identity = tuple[str, str]  # an organization, in hexadecimal digits, and its id of an event
ACCEPTED, DUPLICATE, REJECTED = "accepted", "duplicate", "rejected"
COUNTED = ("term", "quarter", "failed", "quantity", "credits")  # events that agree in these count together


class NoPartition(Problem):
    """There is no partition for this month yet, so the event is refused."""

    status = 503
    code = "not_ready"
    detail = "Usage can't be recorded right now. Send the same events again."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "60"})


@dataclass(slots=True, eq=False)
class RatedEvent:
    """An event with its terms, its charge (with tiers, only known under the lock), and its result."""

    record: UsageRecord
    terms: Terms
    credits: Decimal = ZERO
    outcome: str = DUPLICATE
    rejection: Rejected | None = None

    def reject(self, rejection: Rejected) -> None:
        self.outcome, self.rejection = REJECTED, rejection

    @property
    def identity(self) -> Identity:
        return self.terms.owner.tenant, self.record.id


@dataclass(frozen=True)
class Prepared:
    """Events to insert together, what each payer owes for them, and the parameters that can be made before the lock.

    `quarters` are the quarters of an hour in which events of each payer occurred, by number.
    """

    events: Collection[RatedEvent]
    owners: Collection[Owner]
    debits: Mapping[UUID, Decimal]
    quarters: Collection[tuple[UUID, int]]
    parameters: Mapping[str, Any]


def distinct(batch: Iterable[RatedEvent], known: Collection[Identity] = ()) -> dict[Identity, RatedEvent]:
    """The events to insert: not those that are `known` or were refused, and only the first of each identity."""
    first: dict[Identity, RatedEvent] = {}
    for event in batch:
        identity = event.terms.owner.tenant, event.record.id
        if identity not in first and identity not in known and event.outcome != REJECTED:
            first[identity] = event
    return first


def prepare(events: Collection[RatedEvent], now: datetime) -> Prepared:
    """Everything that can be done before the lock. No two events have one identity."""
    terms = {event.terms.number: event.terms for event in events}
    columns = _columns(events)
    alike = Counter(zip(*(columns[name] for name in COUNTED), strict=True))
    parameters = {
        **{name: sql.array(column) for name, column in columns.items() if name != "quarter"},
        **_alike_columns(alike),
        "id": _text_array([event.record.id for event in events]),
        "properties": _properties(events),
        "terms": json.dumps([_term(term) for term in terms.values()]),
        "now": now,
    }
    owners = {term.owner for term in terms.values()}
    distinct = {(terms[term].owner.account, quarter) for term, quarter, *_ in alike}
    return Prepared(events, owners, _debits(terms, alike), distinct, parameters)


def insert(prepared: Prepared, locked: Mapping[UUID, Locked], entries: Mapping[UUID, int]) -> None:
    """Insert the events and mark them as accepted. `entries` are the ledger entries that charged each payer."""
    sql.require_transaction()
    owners = [_owner(owner, locked[owner.account], entries.get(owner.account)) for owner in prepared.owners]
    months = [_month(account, number, locked[account].zone) for account, number in prepared.quarters]
    parameters = {**prepared.parameters, "owners": json.dumps(owners), "months": json.dumps(months)}
    try:
        if distribution.is_distributed():
            [account] = {owner.account for owner in prepared.owners}
            sql.in_one_trip(*((statement, {**parameters, "account": account}) for statement in RECORD_OF_ONE))
        else:
            sql.in_one_trip((PLANNED_ONCE, {}), (RECORD, parameters))
    except (IntegrityError, InternalError) as error:  # the second is Citus's
        if "no partition" not in str(error):
            raise
        raise NoPartition from error
    for event in prepared.events:
        event.outcome = ACCEPTED


def _columns(events: Collection[RatedEvent]) -> dict[str, list[Any]]:
    """Columns of the events, each value as PostgreSQL writes it in an array."""
    records = [event.record for event in events]
    microseconds = [quarters.microseconds(record.occurred_at) for record in records]
    return {
        "term": [event.terms.number for event in events],
        "microseconds": microseconds,
        "quarter": [moment // quarters.MICROSECONDS for moment in microseconds],
        "failed": ["t" if record.failed else "f" for record in records],
        "quantity": [str(record.quantity) for record in records],
        "credits": [str(event.credits) for event in events],
        "hold": [record.hold.hex if record.hold else None for record in records],
    }


def _alike_columns(alike: Mapping[tuple[Any, ...], int]) -> dict[str, str]:
    columns = zip((*COUNTED, "number"), (*zip(*alike, strict=True), alike.values()), strict=True)
    return {f"alike_{name}": sql.array(column) for name, column in columns}


def _debits(terms: Mapping[int, Terms], alike: Mapping[tuple[Any, ...], int]) -> dict[UUID, Decimal]:
    """What each payer owes. Payers that owe nothing are left out."""
    debits: defaultdict[UUID, Decimal] = defaultdict(lambda: ZERO)
    for (term, _, _, _, credits), number in alike.items():
        debits[terms[term].owner.account] += number * Decimal(credits)
    return {account: amount for account, amount in debits.items() if amount}


def _month(account: UUID, number: int, zone: BillingZone) -> dict[str, str]:
    month = zone.month_of_quarter(number)
    return {"account": account.hex, "bucket": quarters.start_of(number).isoformat(), "month": month.isoformat()}


def _properties(events: Iterable[RatedEvent]) -> str | None:
    """None if no event has any."""
    properties = [event.record.properties for event in events]
    if not any(properties):
        return None
    return _text_array([exact_json.dumps(members) if members else "{}" for members in properties])


def _text_array(values: Sequence[str]) -> str:
    """An array of texts without control characters, which printable text and JSON are."""
    joined = SEPARATOR.join(values)
    if "\\" in joined or '"' in joined:
        joined = joined.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + joined.replace(SEPARATOR, '","') + '"}'


def _term(terms: Terms) -> dict[str, Any]:
    return {"term": terms.number, "owner": terms.owner.number, "meter": terms.meter, "endpoint": terms.endpoint}


def _owner(owner: Owner, locked: Locked, entry_seq: int | None) -> dict[str, Any]:
    return {
        "owner": owner.number,
        "organization": owner.tenant,
        "account": owner.account.hex,
        "key": owner.key.hex if owner.key else None,
        "environment": owner.environment,
        "entry_seq": entry_seq,
        "closed_through": locked.closed_through.isoformat() if locked.closed_through else None,
        "billed_in": locked.zone.month_of(locked.closed_through).isoformat() if locked.closed_through else None,
    }
