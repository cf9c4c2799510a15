"""Recording usage: a batch is one transaction, after which every accepted event is metered, charged and rolled up.

Lock the payers in id order; ask which events are known; insert the others and fold them into all that is counted, in
one statement; post one entry a payer. The lock is what makes deduplication exact: what was unknown under it stays so
until the commit, also where a month of arrival ends and the unique index of one partition can't see the other. It also
puts the events into the one order of arrival by which tiers count.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.lib.money import ZERO
from billing.ledger import alerts, balances, holds, posting
from usage.metering import deduplication, insert, parsing, rating
from usage.metering.insert import ACCEPTED, DUPLICATE, REJECTED, Rated
from usage.metering.lookup import OVER_LIMIT, Catalog
from usage.metering.parsing import Event, Rejected


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
    parse: Callable[[Any, datetime], Event] = parsing.parse,
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
            terms = catalog.terms(event)
            rated[index] = Rated(event, terms, ZERO if terms.is_counted else terms.charge(event.quantity))
        except Rejected as error:
            results[index] = _rejection(batch[index], error)
    if rated:
        _store(list(rated.values()), now)
    for index, one in rated.items():
        results[index] = _result(one)
    return Batch([result for result in results if result is not None])


def _rejection(raw: Any, error: Rejected) -> Result:
    said = raw.get("id") if isinstance(raw, dict) else None
    shown = said[:100] if isinstance(said, str) else None
    return Result(shown, "rejected", code=error.code, detail=str(error))


def _result(one: Rated) -> Result:
    if one.outcome == ACCEPTED:
        return Result(one.event.id, ACCEPTED, one.credits)
    if one.outcome == DUPLICATE:
        return Result(one.event.id, DUPLICATE)
    return Result(one.event.id, REJECTED, code="invalid", detail=OVER_LIMIT)


@transaction.atomic(savepoint=False)
def _store(batch: list[Rated], now: datetime) -> None:
    """Lock, leave out what is known, insert and fold, post. Others wait for the lock: what needs none comes before."""
    owners = {one.terms.owner for one in batch}
    # Before the lock: a payer that is opened under it could wait for one who waits for the lock.
    if new := {owner.account for owner in owners if not owner.has_ledger}:
        balances.open_accounts(new)
    events = insert.distinct(batch)
    is_counted = any(one.terms.is_counted for one in batch)
    prepared = None if is_counted else insert.prepare(events.values(), now)
    locked = posting.lock({owner.account for owner in owners}, now)
    known = deduplication.known(events.values(), now)
    if is_counted:
        rating.rate(batch, known)
    if is_counted or known:
        events = insert.distinct(batch, known)
        prepared = insert.prepare(events.values(), now) if events else None
    debits = insert.insert(prepared, locked) if prepared else {}
    holds.capture_by_usage(_drawn(batch), now)
    if debits:
        balances.post_usage(debits, locked, now)
        alerts.check(debits, now, {(owner.organization, owner.key) for owner in owners})


def _drawn(batch: Iterable[Rated]) -> dict[tuple[UUID, UUID], Decimal]:
    """What the new events took from the holds that they name, by payer and hold."""
    drawn: dict[tuple[UUID, UUID], Decimal] = {}
    for one in batch:
        if one.event.hold and one.outcome == ACCEPTED:
            hold = one.terms.owner.account, one.event.hold
            drawn[hold] = drawn.get(hold, ZERO) + one.credits
    return drawn
