"""Voids: a usage event is taken back. It no longer counts in any figure, and its charge is returned.

Nothing is edited: the event stays, its id is still a duplicate for a retry, and an adjustment returns exactly its
charge. A hold that it captured stays captured, and what it took from a lease stays taken.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts import events
from accounts.lib import quarters, sql
from accounts.lib.problems import Conflict, NotFound
from accounts.models import Organization
from billing.ledger import budgets, corrections, posting
from billing.ledger.lots import Lot
from billing.models import LedgerEntry
from usage.models import EventVoid, RetiredPartition, UsageEvent

# The event, with the quarter of an hour in which it is counted. There may be none: its leaf may be detached at the same
# time, which does not wait for the payer's lock.
EVENT = sql.compose(
    """
event AS (
    SELECT e.*, {bucket} AS bucket FROM usage_event e
     WHERE account_id = %(account)s AND organization_id = %(organization)s AND id = %(id)s
       AND recorded_at = %(recorded_at)s)
""",
    bucket=quarters.sql_floor("occurred_at"),
)

# It is dated by the account's clock, as its adjustment is. So a void after the close of a month is dated after its end.
WRITTEN = """
void AS (
    INSERT INTO usage_eventvoid (account_id, organization_id, event_id, recorded_at, entry_seq, reason, actor,
                                 created_at)
    SELECT e.account_id, e.organization_id, e.id, e.recorded_at, %(entry_seq)s::bigint, %(reason)s, %(actor)s,
           greatest(%(now)s, e.recorded_at, a.updated_at)
      FROM event e JOIN billing_ledgeraccount a ON a.organization_id = e.account_id
    RETURNING created_at)
"""

# Takes the event off what `usage.metering.statement` added it to.
SUBTRACT = """
SET requests = r.requests - 1, failed = r.failed - e.failed::int, quantity = r.quantity - e.quantity,
    credits = r.credits - e.credits
"""
ENDPOINT_ROLLUP = sql.compose(
    """
endpoint_rollup AS (
    UPDATE usage_endpointrollup r {subtract} FROM event e
     WHERE (r.account_id, r.organization_id, r.bucket, r.meter_id, r.endpoint)
         = (e.account_id, e.organization_id, e.bucket, e.meter_id, e.endpoint)
       AND r.key_id IS NOT DISTINCT FROM e.key_id)
""",
    subtract=SUBTRACT,
)
METER_ROLLUP = sql.compose(
    """
meter_rollup AS (
    UPDATE usage_usagerollup r {subtract} FROM event e
     WHERE (r.account_id, r.organization_id, r.bucket, r.meter_id)
         = (e.account_id, e.organization_id, e.bucket, e.meter_id)
       AND r.key_id IS NOT DISTINCT FROM e.key_id)
""",
    subtract=SUBTRACT,
)
VOLUME = """
volume AS (
    UPDATE usage_volume v SET quantity = v.quantity - e.quantity, requests = v.requests - 1 FROM event e
     WHERE (v.account_id, v.meter_id, v.month) = (e.account_id, e.meter_id, %(month)s) AND e.environment = 'live')
"""

VOID = sql.compose(
    """
WITH {event}, {written}, {endpoint_rollup}, {meter_rollup}, {volume}
SELECT created_at FROM void
""",
    event=EVENT,
    written=WRITTEN,
    endpoint_rollup=ENDPOINT_ROLLUP,
    meter_rollup=METER_ROLLUP,
    volume=VOLUME,
)


class AlreadyVoided(Conflict):
    """The event was already voided."""

    code = "already_voided"
    detail = "The event was already voided."


class UnknownOrRetired(NotFound):
    """The event doesn't exist now. We can't tell whether it ever did, because old events have been removed."""

    code = "event_unknown_or_retired"
    detail = "There is no such event, or it arrived so long ago that it was retired."


@dataclass(frozen=True)
class Voided:
    """A void, and the adjustment `entry` of `credits` that it brought back; None if the event was charged nothing."""

    event: UsageEvent
    entry: int | None
    reason: str
    voided_at: datetime

    @property
    def credits(self) -> Decimal:
        returned: Decimal = self.event.credits
        return returned


@transaction.atomic
def void(
    organization: Organization,
    id: str,
    *,
    reason: str,
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
) -> Voided:
    """Take back the newest event of this id. `NotFound`, `UnknownOrRetired`; of two at once, one is `AlreadyVoided`.

    Its charge is returned as a lot that expires at `expires_at`.
    """
    payer = organization.root_id
    zone = posting.lock([payer], now)[payer].zone
    event = _newest(organization, id)
    entry = _give_back(event, reason, actor, now, expires_at) if event.credits else None
    month = zone.month_of(event.occurred_at)
    parameters = {
        "account": payer,
        "organization": organization.pk,
        "id": id,
        "recorded_at": event.recorded_at,
        "month": month,
        "entry_seq": entry,
        "reason": reason,
        "actor": actor,
        "now": now,
    }
    voided = sql.rows(VOID, parameters)
    if not voided:
        raise UnknownOrRetired
    if event.entry_seq is not None:
        budgets.give_back(organization, event.key_id, event.credits, month=month, seq=event.entry_seq, now=now)
    data = {"usage_event": id, "entry": entry, "credits": event.credits, "reason": reason, "actor": actor}
    by = events.platform_actor(actor)
    events.record(organization.pk, "usage_event.voided", data, now, actor=by, targets=[id])
    [(voided_at,)] = voided
    return Voided(event, entry, reason, voided_at)


def _newest(organization: Organization, id: str) -> UsageEvent:
    """The newest event, because an id may be used again after the deduplication window."""
    event = UsageEvent.objects.of(organization).filter(id=id).order_by("-recorded_at").first()
    if event is None:
        raise UnknownOrRetired if RetiredPartition.objects.exists() else NotFound("There is no such event.")
    earlier = EventVoid.objects.of(organization).filter(event_id=id, recorded_at=event.recorded_at).first()
    if earlier:
        raise AlreadyVoided(entry=earlier.entry_seq)
    return event


def _give_back(event: UsageEvent, reason: str, actor: str, now: datetime, expires_at: datetime | None) -> int:
    posted = posting.post(
        event.account_id,
        kind=LedgerEntry.Kind.ADJUSTMENT,
        amount=event.credits,
        now=now,
        description=reason,
        reference=event.id,
        metadata={corrections.VOIDED_EVENT: event.id},
        actor=actor,
        lot=Lot(expires_at=expires_at),
    )
    return posted.seq
