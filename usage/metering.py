"""Recording usage: a batch is one transaction, after which every accepted event is metered, charged and rolled up.

Lock the payers in id order; insert what is new and fold it into all that is counted, in one statement; post one entry
a payer. The lock is what makes deduplication exact where a month of arrival ends, since there the unique index of one
partition can't see the other. It also puts the events into the one order of arrival by which tiers count.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from billing import alerts, holds, ledger
from billing.money import LARGEST, ZERO
from usage import events, folding, pricing, tiers
from usage.catalog import Catalog
from usage.events import Event, Rejected
from usage.folding import Identity, Rated

OVER_LIMIT = f"quantity: the charge is over {LARGEST} credits."


@dataclass(slots=True)
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
    catalog = Catalog.of(parsed.values())
    rated: dict[int, Rated] = {}
    for index, event in parsed.items():
        try:
            rated[index] = _rate(catalog, event)
        except Rejected as error:
            results[index] = _rejection(batch[index], error)
    stored = _store(list(rated.values()), now)
    for index, one in rated.items():
        results[index] = stored.result(one) or _rejection(batch[index], Rejected("invalid", OVER_LIMIT))
    return Batch([result for result in results if result is not None])


def _rejection(raw: Any, error: Rejected) -> Result:
    said = raw.get("id") if isinstance(raw, dict) else None
    shown = said[:100] if isinstance(said, str) else None
    return Result(shown, "rejected", code=error.code, detail=str(error))


def _rate(catalog: Catalog, event: Event) -> Rated:
    """The event with its owner and its terms, and what it is charged if that does not hang on others."""
    owner = catalog.owner(event)
    meter, schedule = catalog.terms(owner, event)
    one = Rated(event, owner, meter, schedule)
    if owner.is_live and schedule.is_flat:
        one.credits = pricing.rate(event.quantity, schedule.unit_amount)
        if one.credits > LARGEST:
            raise Rejected("invalid", OVER_LIMIT)
    return one


@dataclass(frozen=True)
class _Stored:
    """What was done with a batch: of two with one identity, the first stands for it."""

    first: dict[Identity, Rated]
    fresh: set[Identity]
    refused: set[int]

    def result(self, one: Rated) -> Result | None:
        """None for what was refused under the lock."""
        if id(one) in self.refused:
            return None
        identity = one.identity
        if identity in self.fresh and self.first[identity] is one:
            return Result(one.event.id, "accepted", one.credits)
        return Result(one.event.id, "duplicate")


def _store(batch: list[Rated], now: datetime) -> _Stored:
    if not batch:
        return _Stored({}, set(), set())
    with transaction.atomic(savepoint=False):
        # Before the lock: a payer that is opened under it could wait for one who waits for the lock.
        if new := {one.owner.account for one in batch if not one.owner.has_ledger}:
            ledger.open_accounts(new)
        locked = ledger.lock({one.owner.account for one in batch}, now)
        refused = {id(one) for one in tiers.rate(batch, now)} if any(one.is_counted for one in batch) else set()
        first: dict[Identity, Rated] = {}
        for one in batch:
            if id(one) not in refused:
                first.setdefault(one.identity, one)
        fresh = folding.insert(first.values(), locked, now)
        holds.capture_by_usage(_drawn(first, fresh.identities), now)
        if fresh.debits:
            ledger.post_usage(fresh.debits, now)
            alerts.check(fresh.debits, now, {(one.owner.organization, one.owner.key) for one in first.values()})
    return _Stored(first, fresh.identities, refused)


def _drawn(first: dict[Identity, Rated], fresh: Iterable[Identity]) -> dict[UUID, Decimal]:
    """What the new events took from the holds that they name."""
    drawn: dict[UUID, Decimal] = {}
    if any(one.event.hold for one in first.values()):
        for one in (first[identity] for identity in fresh):
            if one.event.hold:
                drawn[one.event.hold] = drawn.get(one.event.hold, ZERO) + one.credits
    return drawn
