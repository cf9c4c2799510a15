"""Requests of operators: how they are made, and decided once.

`OPERATOR_APPROVAL_LIMIT` limits the credits that one person may move alone in a day. Requests beyond it wait for a
second person. Verb and row are one transaction.

There are two races. Two requests of one operator could each be within the limit, but together exceed it: so asking
locks the operator's row first. And two people could decide at the same time: so deciding locks the request first.
Payers are locked after either.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Sum

from accounts.lib.money import ZERO
from accounts.lib.problems import Conflict, Forbidden
from accounts.models import User
from billing import clock
from billing.change_requests import ACTIONS
from billing.change_requests.action import Action, Params
from billing.change_requests.preview import Preview, is_stale, rehearse
from billing.models import ChangeRequest
from billing.models.change_requests import LIFETIME

State = ChangeRequest.State
ALONE = timedelta(hours=24)  # within which the limit of one person counts
APPROVE = "billing.approve_changerequest"


class StalePreview(Conflict):
    """Something else happened to the customer since the preview was made."""

    code = "stale_preview"
    detail = "Something has changed since you looked. Look at the figures again."


class AlreadyDecided(Conflict):
    """A request is decided once."""

    code = "already_decided"
    detail = "The request was decided already."


class OwnRequest(Forbidden):
    """A request must be approved by a second person."""

    code = "own_request"
    detail = "Someone else has to approve what you ask for."


@dataclass(frozen=True)
class Proposal:
    """What an operator asks for, with the fields of `ChangeRequest`."""

    kind: str
    subject: str
    params: Params
    reason: str
    by: User
    note: str = ""


def preview(proposal: Proposal, now: datetime) -> tuple[Preview, Decimal, bool]:
    """What the action would do, the credits that count against the limit, and whether it needs a second person."""
    action, actor = ACTIONS[proposal.kind], actor_of(proposal.by)
    row = action.load(proposal.subject)
    at = _now_of(action, row, now)
    shown = rehearse(action, row, proposal.params, reason=proposal.reason, actor=actor, now=at)
    amount = action.amount(row, proposal.params)
    return shown, amount, _needs_approval(action, amount, proposal.by, now)


@transaction.atomic
def ask(proposal: Proposal, *, id: UUID, seen: str, now: datetime) -> ChangeRequest:
    """Do it, or let it wait for a second person. If there is already a request with this `id`, return that one.

    `seen` is the token of the preview that the person saw. `StalePreview` if it would come out otherwise now.
    """
    User.objects.select_for_update(no_key=True).get(pk=proposal.by.pk)
    if known := ChangeRequest.objects.filter(pk=id, requested_by=proposal.by).first():
        return known
    action = ACTIONS[proposal.kind]
    row = _locked(action, proposal.subject, now)
    shown, amount, needs_approval = preview(proposal, now)
    _check(seen, shown, action, row)
    request = ChangeRequest(
        id=id,
        kind=proposal.kind,
        organization=action.organization(row),
        subject=proposal.subject,
        params=dict(proposal.params),
        amount=amount,
        reason=proposal.reason,
        note=proposal.note,
        needs_approval=needs_approval,
        state=State.WAITING if needs_approval else State.DONE,
        requested_by=proposal.by,
        requested_at=now,
        expires_at=now + LIFETIME,
        decided_at=None if needs_approval else now,
        before=shown.before,
        after=shown.after,
    )
    if not needs_approval:
        request.outcome = _run(action, row, request, now)
    request.save(force_insert=True)
    return request


@transaction.atomic
def approve(pk: UUID, *, seen: str, by: User, now: datetime) -> ChangeRequest:
    """Run the request. If the verb refuses, the request goes on waiting."""
    request = _open(pk, now)
    if request.state != State.WAITING:
        return request
    if request.requested_by_id == by.pk:
        raise OwnRequest
    action = ACTIONS[request.kind]
    row = _locked(action, request.subject, now)
    shown = look(request, now)
    _check(seen, shown, action, row)
    outcome = _run(action, row, request, now)
    return _decide(request, State.DONE, by, now, before=shown.before, after=shown.after, outcome=outcome)


@transaction.atomic
def decline(pk: UUID, *, by: User, now: datetime) -> ChangeRequest:
    """Decline it. The person who asked for it takes it back in the same way."""
    request = _open(pk, now)
    return _decide(request, State.DECLINED, by, now) if request.state == State.WAITING else request


def look(request: ChangeRequest, now: datetime) -> Preview:
    """What a waiting request would do now."""
    action = ACTIONS[request.kind]
    row = action.load(request.subject)
    actor = actor_of(request.requested_by)
    return rehearse(action, row, request.params, reason=request.reason, actor=actor, now=_now_of(action, row, now))


def expire(now: datetime) -> int:
    """Expire the requests that nobody decided in time."""
    waiting = ChangeRequest.objects.filter(state=State.WAITING, expires_at__lte=now)
    return waiting.update(state=State.EXPIRED, decided_at=now)


def actor_of(person: User) -> str:
    """The operator in the format that ledger entries and events use."""
    return f"user:{person.pk}"


def _now_of(action: Action, row: Any, now: datetime) -> datetime:
    organization = action.organization(row)
    return clock.at(organization, now) if organization else now


def _locked(action: Action, subject: str, now: datetime) -> Any:
    """What it is done to, read under the lock of the payer, or of the price.

    There's a race here: rolling the preview back also releases its locks. So the lock is taken before the preview, or
    else something could happen between the preview and the action.
    """
    row = action.load(subject)
    action.lock(row, _now_of(action, row, now))
    return action.load(subject)


def _check(seen: str, shown: Preview, action: Action, row: Any) -> None:
    organization = action.organization(row)
    if is_stale(seen, shown, organization.root if organization else None):
        raise StalePreview


def _run(action: Action, row: Any, request: ChangeRequest, now: datetime) -> str:
    actor = actor_of(request.requested_by)
    return action.run(row, request.params, reason=request.reason, actor=actor, now=_now_of(action, row, now))[:200]


def _needs_approval(action: Action, amount: Decimal, by: User, now: datetime) -> bool:
    limit: Decimal | None = settings.OPERATOR_APPROVAL_LIMIT
    if limit is None or not (amount or action.always_needs_approval):
        return False
    alone = ChangeRequest.objects.filter(requested_by=by, needs_approval=False, requested_at__gt=now - ALONE)
    done = alone.aggregate(sum=Sum("amount"))["sum"] or ZERO
    return action.always_needs_approval or done + amount > limit


def _open(pk: UUID, now: datetime) -> ChangeRequest:
    """The waiting request, locked; it expires here if it is time, and then is no longer waiting."""
    requests = ChangeRequest.objects.select_related("requested_by").select_for_update(no_key=True, of=("self",))
    request = requests.get(pk=pk)
    if request.state != State.WAITING:
        raise AlreadyDecided
    return request if now < request.expires_at else _decide(request, State.EXPIRED, None, now)


def _decide(request: ChangeRequest, state: str, by: User | None, now: datetime, **fields: Any) -> ChangeRequest:
    changes = {**fields, "state": state, "decided_by": by, "decided_at": now}
    for name, value in changes.items():
        setattr(request, name, value)
    request.save(update_fields=list(changes))
    return request
