import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.events import catalog, origin, sealing
from accounts.events.actors import Actor
from accounts.lib import broker, exact_json
from accounts.models import Event, PersonalData, UnpublishedEvent

PUBLISH = "accounts.tasks.publish_events"
SALT_BYTES = 16


@transaction.atomic
def record(
    organization: UUID,
    type: str,
    data: Mapping[str, Any],
    now: datetime,
    *,
    actor: Actor | None = None,
    targets: Sequence[str] = (),
    personal: Mapping[str, Any] | None = None,
) -> Event:
    """Writes an event of a registered type, such as `budget.crossed`, in the organization that it concerns.

    `targets` are the public ids of what it was done to. The actor is by default whoever makes the request. Events are
    never changed, so `data` holds no name, email or address: those go into `personal`, which can be erased.
    """
    known = {**origin.personal(), **(personal or {})}
    salt, text = os.urandom(SALT_BYTES), exact_json.dumps(known)
    event = Event.objects.create(
        organization_id=organization,
        type=catalog.require(type).name,
        data=dict(data),
        actor=(actor or origin.actor()).as_json(),
        targets=list(targets),
        context=origin.context(),
        personal_digest=sealing.personal_digest(salt, text) if known else None,
        created_at=now,
    )
    if known:
        PersonalData.objects.create(event=event, salt=salt, text=text)
    UnpublishedEvent.objects.create(event=event)
    broker.nudge(PUBLISH)
    return event


def record_change(
    organization: UUID,
    type: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
    *,
    targets: Sequence[str] = (),
    personal: Collection[str] = (),
    **data: Any,
) -> Event | None:
    """Writes what a change made of the fields in `after`. Nothing if it left them as they were.

    The event names all fields that changed. The values of those in `personal` can be erased.
    """
    fields = [name for name in after if after[name] != before[name]]
    if not fields:
        return None
    open_fields = [name for name in fields if name not in personal]
    erasable = [name for name in fields if name in personal]
    changes = {
        "fields": fields,
        "before": _values(before, open_fields),
        "after": _values(after, open_fields),
        "actor": origin.actor().id,
    }
    values = {"before": _values(before, erasable), "after": _values(after, erasable)}
    return record(organization, type, {**data, **changes}, now, targets=targets, personal=values if erasable else None)


def _values(row: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    return {name: plain(row[name]) for name in names}


def plain(value: Any) -> Any:
    """The value as JSON has it."""
    return sealing.written(value) if isinstance(value, datetime) else value
