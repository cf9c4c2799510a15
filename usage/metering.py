"""Recording usage: a batch is one transaction, after which every accepted event is metered, charged and rolled up.

Lock the payers in id order; insert what is new and fold it into the rollups, in one statement; post one entry a
payer. The lock is what makes deduplication exact where a month of arrival ends, since there the unique index of one
partition can't see the other.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import simplejson
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from accounts.exceptions import Problem
from accounts.models import Organization
from apikeys.models import ApiKey
from billing import ledger
from billing.models import Meter
from billing.money import LARGEST, ZERO
from usage import events, partitions, pricing
from usage.events import Event, Rejected

DEDUPLICATION_WINDOW = timedelta(days=35)

# Events that another leaf of the window knows are left out; those of this month's leaf by its unique index.
RECORD = """
WITH fresh AS (
    INSERT INTO usage_event (organization_id, id, account_id, key_id, meter_id, environment, endpoint, quantity, failed,
                             credits, entry_seq, occurred_at, recorded_at, properties)
    SELECT e.organization, e.id, e.account, e.key, e.meter, e.environment, e.endpoint, e.quantity, e.failed,
           e.credits, e.entry_seq, e.occurred_at, %(now)s, e.properties
      FROM json_to_recordset(%(events)s::json) AS e(organization uuid, id text, account uuid, key uuid, meter bigint,
           environment text, endpoint text, quantity numeric, failed bool, credits numeric, entry_seq bigint,
           occurred_at timestamptz, properties jsonb)
     WHERE NOT EXISTS (
           SELECT FROM usage_event seen WHERE seen.organization_id = e.organization AND seen.id = e.id
              AND (seen.recorded_at >= %(window)s AND seen.recorded_at < %(month)s OR seen.recorded_at >= %(next)s))
    ON CONFLICT DO NOTHING
    RETURNING *),
by_meter AS (
    INSERT INTO usage_usagerollup AS r (organization_id, account_id, bucket, meter_id, key_id, environment, requests,
                                        failed, quantity, credits)
    SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z'), meter_id, key_id, environment,
           count(*), count(*) FILTER (WHERE failed), sum(quantity), sum(credits)
      FROM fresh GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY 1, 3, 4, 5
    ON CONFLICT (organization_id, bucket, meter_id, key_id) DO UPDATE
       SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
           quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits),
by_endpoint AS (
    INSERT INTO usage_endpointrollup AS r (organization_id, account_id, bucket, meter_id, key_id, environment, endpoint,
                                           requests, failed, quantity, credits)
    SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z'), meter_id, key_id, environment,
           endpoint, count(*), count(*) FILTER (WHERE failed), sum(quantity), sum(credits)
      FROM fresh GROUP BY 1, 2, 3, 4, 5, 6, 7 ORDER BY 1, 3, 4, 5, 7
    ON CONFLICT (organization_id, bucket, meter_id, key_id, endpoint) DO UPDATE
       SET requests = r.requests + excluded.requests, failed = r.failed + excluded.failed,
           quantity = r.quantity + excluded.quantity, credits = r.credits + excluded.credits)
SELECT account_id, organization_id, array_agg(id), sum(credits) FROM fresh GROUP BY 1, 2
"""


class NoPartition(Problem):
    """There is no partition for this month yet: the event is not taken, so that it can't be lost."""

    status = 503
    code = "not_ready"
    detail = "Usage can't be recorded at this moment. Send the same events again."

    def __init__(self) -> None:
        super().__init__(headers={"Retry-After": "60"})


@dataclass(frozen=True)
class Result:
    """What became of one event: `accepted`, `duplicate` or `rejected`, and what it was charged."""

    id: str | None
    result: str
    credits: Decimal = ZERO
    code: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Batch:
    results: list[Result]

    def count(self, result: str) -> int:
        return sum(one.result == result for one in self.results)

    @property
    def credits(self) -> Decimal:
        return sum((one.credits for one in self.results), ZERO)


@dataclass(frozen=True)
class _Rated:
    """An event with its owner, payer and price."""

    event: Event
    organization: UUID
    account: UUID
    key: UUID | None
    meter: int
    environment: str
    credits: Decimal

    @property
    def identity(self) -> tuple[UUID, str]:
        return self.organization, self.event.id

    def row(self, entry_seq: int) -> dict[str, Any]:
        return {
            "organization": self.organization.hex,
            "id": self.event.id,
            "account": self.account.hex,
            "key": self.key.hex if self.key else None,
            "meter": self.meter,
            "environment": self.environment,
            "endpoint": self.event.endpoint,
            "quantity": self.event.quantity,
            "failed": self.event.failed,
            "credits": self.credits,
            "entry_seq": entry_seq if self.credits else None,
            "occurred_at": self.event.occurred_at.isoformat(),
            "properties": self.event.properties,
        }


@dataclass
class _Catalog:
    """The keys, organizations and meters that a batch names, in three queries."""

    keys: dict[str, tuple[UUID, UUID, UUID, str]] = field(default_factory=dict)
    organizations: dict[str, tuple[UUID, UUID]] = field(default_factory=dict)
    meters: dict[str, tuple[int, Decimal]] = field(default_factory=dict)

    @classmethod
    def of(cls, batch: Iterable[Event]) -> "_Catalog":
        named = ApiKey.objects.filter(public_id__in={e.key for e in batch if e.key}, organization__isnull=False)
        keys = named.values_list("public_id", "pk", "organization_id", "organization__root_id", "environment")
        organizations = Organization.objects.filter(
            public_id__in={e.organization for e in batch if e.organization}
        ).values_list("public_id", "pk", "root_id")
        meters = Meter.objects.filter(slug__in={e.meter for e in batch}).values_list("slug", "pk", "price__unit_amount")
        return cls(
            keys={public_id: (pk, owner, root, env) for public_id, pk, owner, root, env in keys if owner and root},
            organizations={public_id: (pk, root) for public_id, pk, root in organizations},
            meters={slug: (pk, price or ZERO) for slug, pk, price in meters},
        )

    def rate(self, event: Event) -> _Rated:
        """The event with its owner and price; `Rejected` where it names what there is not."""
        key, organization, account, environment = self._owner(event)
        if event.meter not in self.meters:
            raise Rejected("unknown_meter", "meter: there is no such meter.")
        meter, unit_amount = self.meters[event.meter]
        credits = ZERO if environment == ApiKey.Environment.TEST else pricing.rate(event.quantity, unit_amount)
        if credits > LARGEST:
            raise Rejected("invalid", f"quantity: the charge is over {LARGEST} credits.")
        return _Rated(event, organization, account, key, meter, environment, credits)

    def _owner(self, event: Event) -> tuple[UUID | None, UUID, UUID, str]:
        if event.organization is not None and event.organization not in self.organizations:
            raise Rejected("unknown_organization", "organization: there is no such organization.")
        if event.key is None:
            organization, account = self.organizations[event.organization or ""]
            return None, organization, account, ApiKey.Environment.LIVE
        if event.key not in self.keys:
            raise Rejected("unknown_key", "key_id: there is no such key.")
        key, organization, account, environment = self.keys[event.key]
        if event.organization is not None and self.organizations[event.organization][0] != organization:
            raise Rejected("unknown_key", "key_id: this organization has no such key.")
        return key, organization, account, environment


def record(
    batch: Sequence[Any],
    clock: Callable[[], datetime] = timezone.now,
    parse: Callable[[Any, datetime], Event] = events.parse,
) -> Batch:
    """Record events as they came in JSON. One result an event, in order; a bad event is rejected alone.

    One transaction: after it every accepted event is in the ledger, in the usage figures and in the rollups. `parse`
    is for events of another form: an `Event`, or `Rejected`.
    """
    now = clock()
    results: list[Result | None] = [None] * len(batch)
    parsed: dict[int, Event] = {}
    for index, raw in enumerate(batch):
        try:
            parsed[index] = parse(raw, now)
        except Rejected as error:
            results[index] = _rejection(raw, error)
    catalog = _Catalog.of(list(parsed.values()))
    rated: dict[int, _Rated] = {}
    for index, event in parsed.items():
        try:
            rated[index] = catalog.rate(event)
        except Rejected as error:
            results[index] = _rejection(batch[index], error)
    fresh = _store({one.identity: one for one in reversed(list(rated.values()))}, now)
    for index, one in rated.items():
        is_fresh = one.identity in fresh
        fresh.discard(one.identity)  # of two in one batch, the first is counted
        results[index] = (
            Result(one.event.id, "accepted", one.credits) if is_fresh else Result(one.event.id, "duplicate")
        )
    return Batch([result for result in results if result is not None])


def _rejection(raw: Any, error: Rejected) -> Result:
    said = raw.get("id") if isinstance(raw, dict) else None
    shown = said[:100] if isinstance(said, str) else None
    return Result(shown, "rejected", code=error.code, detail=str(error))


@transaction.atomic
def _store(unique: dict[tuple[UUID, str], _Rated], now: datetime) -> set[tuple[UUID, str]]:
    """Lock, insert and fold, post. Returns the identities that were new."""
    if not unique:
        return set()
    locked = ledger.lock({one.account for one in unique.values()})
    rows = [one.row(locked[one.account].seq + 1) for one in unique.values()]
    fresh: set[tuple[UUID, str]] = set()
    debits: dict[UUID, Decimal] = {}
    for account, organization, ids, credits in _insert(rows, now):
        fresh.update((organization, id) for id in ids)
        debits[account] = debits.get(account, ZERO) + credits
    charged = {account: credits for account, credits in debits.items() if credits}
    if charged:
        ledger.post_usage(charged, now)
    return fresh


def _insert(rows: list[dict[str, Any]], now: datetime) -> list[tuple[UUID, UUID, list[str], Decimal]]:
    month, following = partitions.month_bounds(now)
    parameters: dict[str, Any] = {
        "events": simplejson.dumps(rows, use_decimal=True),
        "now": now,
        "window": now - DEDUPLICATION_WINDOW,
        "month": month,
        "next": following,
    }
    try:
        with connection.cursor() as cursor:
            cursor.execute(RECORD, parameters)
            found: list[tuple[UUID, UUID, list[str], Decimal]] = cursor.fetchall()
            return found
    except IntegrityError as error:
        if "no partition" not in str(error):
            raise
        raise NoPartition from error
