import os
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.events import catalog, origin, sealing
from accounts.events.actors import Actor
from accounts.lib import broker, exact_json, identifiers, sql
from accounts.models import Event, PersonalData, UnpublishedEvent

PUBLISH = "accounts.tasks.publish_events"
SALT_BYTES = 16

Happening = tuple[UUID | None, Mapping[str, Any], Sequence[str]]  # an organization or none, data and targets


def record(
    organization: UUID | None,
    type: str,
    data: Mapping[str, Any],
    now: datetime,
    *,
    actor: Actor | None = None,
    targets: Sequence[str] = (),
    personal: Mapping[str, Any] | None = None,
) -> Event:
    """Writes an event of a registered type, such as `budget.crossed`, in the organization that it concerns.

    What concerns the company alone has none. `targets` are the public ids of what it was done to. The actor is by
    default whoever makes the request. Events are never changed, so `data` holds no name, email or address: those go
    into `personal`, which can be erased.
    """
    [row] = record_all(type, [(organization, data, targets)], now, actor=actor, personal=personal)
    return Event(**row)


@transaction.atomic
def record_all(
    type: str,
    happenings: Sequence[Happening],
    now: datetime,
    *,
    actor: Actor | None = None,
    personal: Mapping[str, Any] | None = None,
) -> list[Mapping[str, Any]]:
    """Write several events of the same type at once, each as `record` does. Returns the fields of each."""
    known = {**origin.personal(), **(personal or {})}
    text = exact_json.dumps(known)
    salts = [os.urandom(SALT_BYTES) for _ in happenings]
    alike = {
        "type": catalog.require(type).name,
        "actor": (actor or origin.actor()).as_json(),
        "context": origin.context(),
        "created_at": now,
    }
    events: list[Mapping[str, Any]] = [
        {
            **alike,
            "id": identifiers.uuid7(),
            "organization_id": organization,
            "data": dict(data),
            "targets": list(targets),
            "personal_digest": sealing.personal_digest(salt, text) if known else None,
        }
        for (organization, data, targets), salt in zip(happenings, salts, strict=True)
    ]
    sql.copy(Event, events)
    if known:
        salted = zip(events, salts, strict=True)
        sql.copy(PersonalData, ({"event_id": event["id"], "salt": salt, "text": text} for event, salt in salted))
    sql.copy(UnpublishedEvent, ({"event_id": event["id"]} for event in events))
    broker.nudge(PUBLISH)
    return events


def record_change(
    organization: UUID | None,
    type: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
    *,
    targets: Sequence[str] = (),
    personal: Collection[str] = (),
    **data: Any,
) -> Event | None:
    """Record the change of the fields in `after`. Does nothing if they are unchanged.

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
    """The value in the form that JSON can store."""
    return sealing.written(value) if isinstance(value, datetime) else value
