"""Corrections: nothing that was posted is edited. An entry is reversed by another, once; an adjustment has a reason.

Neither is ever refused for lack of credits, and both may lead into debt. They move no money outside the ledger: if you
reverse a purchase, you have to refund it yourself. A later refund or chargeback of it takes no more credits.
"""

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from accounts import events
from accounts.lib import identifiers
from accounts.lib.problems import InvalidField
from billing.exceptions import AlreadyReversed, CorrectedByVoid, NotReversible
from billing.ledger import balances, budgets, posting
from billing.ledger.lots import Lot
from billing.models import Dispute, Grant, Hold, LedgerEntry, Payment

Kind = LedgerEntry.Kind

VOIDED_EVENT = "voided_event"  # in the metadata of the adjustment that a void posts: the event's id


@transaction.atomic
def reverse(
    entry: LedgerEntry, *, reason: str, actor: str, now: datetime, expires_at: datetime | None = None
) -> LedgerEntry:
    """Post the opposite of an entry; `AlreadyReversed` the second time.

    Credits that the entry added are burnt from its own lot first. Credits that it took come back as a lot that expires
    at `expires_at`.
    """
    zone = posting.lock([entry.account_id], now)[entry.account_id].zone
    _check(entry)
    if entry.amount > 0 and expires_at:
        raise InvalidField("expires_at", "This reversal takes credits, which can't expire.")
    posted = posting.post(
        entry.account_id,
        kind=Kind.REVERSAL,
        amount=-entry.amount,
        now=now,
        description=reason,
        reference=entry.reference,
        actor=actor,
        reverses_seq=entry.seq,
        lot=_lot_again(entry, expires_at),
        own_lot=entry.seq,
    )
    if entry.kind == Kind.CAPTURE:
        _give_back(entry, zone.month_of(entry.created_at), now)
    reversal = _posted(posted)
    _tell("ledger.reversed", reversal, reverses=entry.seq)
    return reversal


@transaction.atomic
def adjust(
    account: UUID,
    *,
    amount: Decimal,
    reason: str,
    actor: str,
    now: datetime,
    expires_at: datetime | None = None,
    idempotency_key: str | None = None,
) -> LedgerEntry:
    """Post a signed `amount` on the account of a root organization; credits may have an expiry."""
    if amount < 0 and expires_at:
        raise InvalidField("expires_at", "This adjustment takes credits, which can't expire.")
    last_seq = posting.lock([account], now)[account].seq
    posted = posting.post(
        account,
        kind=Kind.ADJUSTMENT,
        amount=amount,
        now=now,
        description=reason,
        actor=actor,
        idempotency_key=idempotency_key,
        lot=Lot(expires_at=expires_at),
    )
    adjustment = _posted(posted)
    if posted.seq > last_seq:  # not a retry
        _tell("ledger.adjusted", adjustment)
    return adjustment


def _check(entry: LedgerEntry) -> None:
    if entry.kind == Kind.USAGE:
        raise CorrectedByVoid
    if entry.kind == Kind.REVERSAL or VOIDED_EVENT in entry.metadata:
        raise NotReversible
    reversal = LedgerEntry.objects.filter(account=entry.account_id, reverses_seq=entry.seq).first()
    if reversal:
        raise AlreadyReversed(reversal=reversal.seq)
    if _is_taken_back(entry):
        raise NotReversible("Some of it was refunded, disputed or reinstated. Post an adjustment instead.")


def _is_taken_back(entry: LedgerEntry) -> bool:
    """Whether a refund or a dispute has taken part of a purchase, or a bank has returned part of a chargeback.

    If the whole entry were reversed, that part would move twice.
    """
    source, id, *_ = [*(entry.idempotency_key or "").split(":"), ""]
    if (entry.kind, source) == (Kind.PURCHASE, "payment"):
        return Payment.objects.filter(Q(refunded__gt=0) | Q(disputed__gt=0), pk=UUID(hex=id)).exists()
    if (entry.kind, source) == (Kind.CHARGEBACK, "dispute"):
        return Dispute.objects.filter(pk=UUID(hex=id), reinstated__gt=0).exists()
    return False


def _lot_again(entry: LedgerEntry, expires_at: datetime | None) -> Lot:
    """The lot that a reversal brings: credits that had expired come back as what they were, others as paid."""
    expired = identifiers.uuid_of(entry.reference, "grant_") if entry.kind == Kind.EXPIRY and entry.reference else None
    grant = Grant.objects.filter(account=entry.account_id, pk=expired).first() if expired else None
    return Lot(grant.category, grant.priority, expires_at) if grant else Lot(expires_at=expires_at)


def _give_back(capture: LedgerEntry, month: date, now: datetime) -> None:
    """Take what the capture of a hold spent off its month. If usage captured the hold, its event is voided instead."""
    holds = Hold.objects.select_related("organization")
    hold = holds.filter(account=capture.account_id, entry_seq=capture.seq).first()
    if hold:
        budgets.give_back(hold.organization, hold.key_id, -capture.amount, month=month, seq=capture.seq, now=now)


def _tell(type: str, entry: LedgerEntry, **data: object) -> None:
    """Record an event of a correction, in the transaction that posted it."""
    described = {"entry": entry.seq, **data, "amount": entry.amount, "reason": entry.description, "actor": entry.actor}
    actor = events.platform_actor(entry.actor)
    targets = [entry.account.organization.public_id]
    events.record(entry.account_id, type, described, entry.created_at, actor=actor, targets=targets)


def _posted(posted: balances.Posting) -> LedgerEntry:
    return LedgerEntry.objects.get(account=posted.account_id, seq=posted.seq)
