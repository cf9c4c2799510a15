from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import transaction

from accounts.events import catalog
from accounts.events.actors import SYSTEM, Actor
from accounts.lib import broker
from accounts.models import Event, UnpublishedEvent

PUBLISH = "accounts.tasks.publish_events"


@transaction.atomic
def record(
    organization: UUID,
    type: str,
    data: Mapping[str, Any],
    now: datetime,
    *,
    actor: Actor = SYSTEM,
    targets: Sequence[str] = (),
    context: Mapping[str, str] | None = None,
) -> Event:
    """Writes an event of a registered type, such as `budget.crossed`, in the organization that it concerns.

    `targets` are the public ids of what it was done to. `context` says how, for example by which `request_id`. Events
    are never changed, so neither holds personal data: no name, no email, no network address, no user agent.
    """
    event = Event.objects.create(
        organization_id=organization,
        type=catalog.require(type).name,
        data=dict(data),
        actor=actor.as_json(),
        targets=list(targets),
        context=dict(context or {}),
        created_at=now,
    )
    UnpublishedEvent.objects.create(event=event)
    broker.nudge(PUBLISH)
    return event
