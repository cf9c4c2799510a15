"""Recording usage: a batch is one transaction, after which every accepted event is metered, charged and rolled up.

Lock the payers in id order; find the events that were already recorded; post one ledger entry per payer for the others;
insert these and add them to the rollups, volumes and spending, in one statement. The lock makes deduplication exact: an
event that is new under the lock stays new until the commit, even at the turn of a month, when the unique index of one
partition can't see the other. It also puts events into one order of arrival, which tiers depend on.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from prometheus_client import Counter

from accounts.lib import distribution, sql
from accounts.lib.money import ZERO
from apikeys import last_use
from apikeys.models.keys import LAST_USE_GRAIN
from billing.ledger import alerts, balances, holds, posting
from usage.metering import deduplication, insert, parsing, rating
from usage.metering.insert import ACCEPTED, DUPLICATE, REJECTED, Identity, Prepared, RatedEvent
from usage.metering.lookup import Lookup, Owner
from usage.metering.parsing import Rejected, UsageRecord

EVENTS = Counter("tollgate_usage_events", "Events that were sent to us, by result.", ["result"])


@dataclass(slots=True)
class Result:
    """The result of one event: `accepted`, `duplicate` or `rejected`, and what it was charged."""

    id: str | None
    result: str
    credits: Decimal = ZERO
    rejection: Rejected | None = None

    @property
    def code(self) -> str:
        return self.rejection.code if self.rejection else ""

    @property
    def detail(self) -> str:
        return self.rejection.detail if self.rejection else ""


@dataclass(frozen=True)
class BatchResult:
    results: list[Result]

    def count(self, outcome: str) -> int:
        return sum(result.result == outcome for result in self.results)

    @property
    def credits(self) -> Decimal:
        return sum((result.credits for result in self.results), ZERO)


def record(
    batch: Sequence[Any],
    clock: Callable[[], datetime] = timezone.now,
    parse: Callable[[Any, datetime], UsageRecord] = parsing.parse,
) -> BatchResult:
    """Record events as they came in JSON. One result an event, in order; a bad event is rejected alone.

    One transaction: after it every accepted event is in the ledger, in the usage figures and in the rollups. `parse`
    reads events of another form: it returns a `UsageRecord`, or raises `Rejected`.
    """
    now = clock()
    results: list[Result | None] = [None] * len(batch)
    records: dict[int, UsageRecord] = {}
    for index, body in enumerate(batch):
        try:
            records[index] = parse(body, now)
        except Rejected as error:
            results[index] = _rejection(body, error)
    lookup = Lookup.of(records.values())
    rated: dict[int, RatedEvent] = {}
    for index, event in records.items():
        try:
            rated[index] = _rate(event, lookup, now)
        except Rejected as error:
            results[index] = _rejection(batch[index], error)
    if rated:
        _store_each(list(rated.values()), now)
    for index, outcome in rated.items():
        results[index] = _result(outcome)
    recorded = BatchResult([result for result in results if result is not None])
    for result in (ACCEPTED, DUPLICATE, REJECTED):
        EVENTS.labels(result).inc(recorded.count(result))
    return recorded


def _rate(event: UsageRecord, lookup: Lookup, now: datetime) -> RatedEvent:
    terms = lookup.terms(event)
    if event.occurred_at > now or terms.owner.ahead:
        event.occurred_at = parsing.not_ahead(event.occurred_at, now, terms.owner.ahead)
    return RatedEvent(event, terms, ZERO if terms.by_volume else terms.charge(event.quantity))


def _rejection(body: Any, error: Rejected) -> Result:
    id = body.get("id") if isinstance(body, dict) else None
    return Result(id[: parsing.ID_LIMIT] if isinstance(id, str) else None, REJECTED, rejection=error)


def _result(event: RatedEvent) -> Result:
    credits = event.credits if event.outcome == ACCEPTED else ZERO
    return Result(event.record.id, event.outcome, credits, event.rejection)


def _store_each(batch: list[RatedEvent], now: datetime) -> None:
    """Store the events by the clocks of their payers: nearly always there is just one, and it is not ahead. Where the
    tables are distributed, store those of each payer apart.

    If there are several, all payers are locked first, in id order.
    """
    groups = _groups(batch)
    if len(groups) == 1:
        [((ahead, _), events)] = groups.items()
        _store(events, now + ahead)
        return
    with transaction.atomic():
        posting.lock({event.terms.owner.account for event in batch}, now)
        for (ahead, _), events in sorted(groups.items()):
            _store(events, now + ahead)


def _groups(batch: list[RatedEvent]) -> dict[tuple[timedelta, str], list[RatedEvent]]:
    """The events that are stored together, by how far their clocks are ahead, and by their payer if that matters."""
    by_payer = distribution.is_distributed()
    groups: defaultdict[tuple[timedelta, str], list[RatedEvent]] = defaultdict(list)
    for event in batch:
        owner = event.terms.owner
        groups[owner.ahead, owner.account.hex if by_payer else ""].append(event)
    return groups


@transaction.atomic(savepoint=False)
def _store(batch: list[RatedEvent], now: datetime) -> None:
    """Lock, skip known events, post, insert. Others wait for the lock, so we do everything else before taking it."""
    owners = {event.terms.owner for event in batch}
    # A payer whose account is opened under the lock could wait for one who waits for the lock: open it before.
    if new := {owner.account for owner in owners if not owner.has_ledger}:
        balances.open_accounts(new, now)
    events = insert.distinct(batch)
    by_volume = any(event.terms.by_volume for event in batch)
    prepared = None if by_volume else insert.prepare(events.values(), now)
    locked = posting.lock({owner.account for owner in owners}, now)
    known = deduplication.known(events.values(), now)
    closed = {account for account, state in locked.items() if state.is_closed}
    if closed:
        _refuse(batch, known, closed)
    if by_volume:
        rating.rate(batch, known, locked)
    if by_volume or known or closed:
        prepared = _prepare_new(batch, known, now)
    debits = prepared.debits if prepared else {}
    entries = balances.post_usage(debits, now) if debits else []
    if prepared:
        insert.insert(prepared, locked, {entry.account_id: entry.seq for entry in entries})
    holds.capture_by_usage(_drawn(batch), now)
    if uses := _unnoted_uses(batch, owners, now):
        sql.rows(*last_use.note(uses))
    if debits:
        alerts.check(debits, now, {(owner.organization, owner.key) for owner in owners})


def _refuse(batch: Iterable[RatedEvent], known: set[Identity], closed: set[UUID]) -> None:
    """Refuse new events of payers that are closed for good: nobody would pay for them."""
    for event in batch:
        if event.terms.owner.account in closed and event.identity not in known:
            event.reject(Rejected("organization_closed", "The organization is closed.", "organization"))


def _prepare_new(batch: list[RatedEvent], known: set[Identity], now: datetime) -> Prepared | None:
    events = insert.distinct(batch, known)
    return insert.prepare(events.values(), now) if events else None


def _unnoted_uses(batch: Iterable[RatedEvent], owners: set[Owner], now: datetime) -> dict[UUID, datetime]:
    """When keys were last used by new events, of keys whose use was not noted within this minute: mostly none."""
    since = now.timestamp() - LAST_USE_GRAIN.total_seconds()
    stale = {owner for owner in owners if owner.key and (owner.last_used_at or 0) <= since}
    uses: dict[UUID, datetime] = {}
    for event in batch if stale else ():
        key = event.terms.owner.key
        if key and event.terms.owner in stale and event.outcome == ACCEPTED:
            uses[key] = max(event.record.occurred_at, uses.get(key, event.record.occurred_at))
    return uses


def _drawn(batch: Iterable[RatedEvent]) -> dict[tuple[UUID, UUID], Decimal]:
    """What the new events took from the holds that they name, by payer and hold."""
    drawn: dict[tuple[UUID, UUID], Decimal] = {}
    for event in batch:
        if event.record.hold and event.outcome == ACCEPTED:
            hold = event.terms.owner.account, event.record.hold
            drawn[hold] = drawn.get(hold, ZERO) + event.credits
    return drawn
