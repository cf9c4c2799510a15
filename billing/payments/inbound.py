"""The gateway's events: delivered to us, or found by asking for them. Each is a row, which a task or the sweep handles.

A webhook is only a nudge, and polling is the guarantee, so an installation without a public address works the same.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from accounts.lib import broker
from billing.models import PolledGateway, ReceivedEvent
from billing.payments import gateways, observing
from billing.payments.gateways import Gateway, GatewayEvent
from billing.payments.intents import PaymentNotSettled

log = structlog.get_logger()

HANDLE = "billing.tasks.handle_gateway_events"
SWEEP_SIZE = 200
LEASE = timedelta(minutes=5)  # longer than the calls of one event may take; the event of a killed worker waits for it
FIRST_LOOK = timedelta(days=1)
OVERLAP = timedelta(minutes=10)  # an event may become visible after a later one
KEPT = timedelta(days=60)  # longer than the gateway keeps events, so that none is handled again
LONGEST_WAIT = timedelta(hours=1)
ALARM_AFTER = 3


def receive(gateway: str, events: Iterable[GatewayEvent], now: datetime) -> None:
    """Store events that are not stored yet. A task handles them after the commit.

    A fraud warning about a charge without an intent names no object: the charge is not ours.
    """
    rows = [
        ReceivedEvent(
            gateway=gateway,
            event_id=event.id,
            type=event.type,
            subject=event.subject,
            object_id=event.object_id,
            occurred_at=event.created_at,
            received_at=now,
            next_attempt_at=now,
        )
        for event in events
        if event.subject in observing.LOOKS and event.object_id
    ]
    if rows:
        ReceivedEvent.objects.bulk_create(rows, ignore_conflicts=True)
        broker.nudge(HANDLE)


def poll(gateway: Gateway, now: datetime) -> None:
    """Ask for the events since the last one that we know. Moments are by the gateway's clock, so ours may be wrong."""
    polled, _ = PolledGateway.objects.get_or_create(gateway=gateway.name, defaults={"events_through": now - FIRST_LOOK})
    try:
        events = list(gateway.events(polled.events_through - OVERLAP))
    except gateways.GatewayError as error:  # The next poll begins at the same event.
        log.warning("events not read", gateway=gateway.name, error=repr(error))
        return
    receive(gateway.name, events, now)
    through = max((event.created_at for event in events), default=polled.events_through)
    PolledGateway.objects.filter(pk=polled.pk, events_through__lt=through).update(events_through=through)


def sweep(now: datetime) -> int:
    """Handle the events that are due. Returns how many were handled. A gateway without an answer ends the run."""
    handled = 0
    for _ in range(SWEEP_SIZE):
        event = _claim(now)
        if event is None:
            break
        same = _same_object(event)
        try:
            observing.look(event.subject, event.object_id, gateways.named(event.gateway), now)
        except gateways.GatewayError as error:
            _postpone(event, now, error)
            break
        except Exception as error:  # whatever it is, it must not block the events after this one
            _postpone(event, now, error)
        else:
            handled += ReceivedEvent.objects.filter(pk__in=same, handled_at=None).update(handled_at=now)
    return handled


@transaction.atomic
def _claim(now: datetime) -> ReceivedEvent | None:
    """The next event, leased. No transaction is open while we talk to the gateway."""
    due = ReceivedEvent.objects.select_for_update(skip_locked=True).filter(handled_at=None, next_attempt_at__lte=now)
    event = due.order_by("next_attempt_at").first()
    if event:
        event.attempts += 1
        event.next_attempt_at = now + LEASE
        event.save(update_fields=["attempts", "next_attempt_at"])
    return event


def _same_object(event: ReceivedEvent) -> list[int]:
    """The events of the same object that are there before it is fetched: they are handled with it."""
    same = ReceivedEvent.objects.filter(gateway=event.gateway, subject=event.subject, object_id=event.object_id)
    return list(same.filter(handled_at=None).values_list("pk", flat=True))


def _postpone(event: ReceivedEvent, now: datetime, error: Exception) -> None:
    wait = min(timedelta(minutes=2 ** min(event.attempts - 1, 6)), LONGEST_WAIT)
    ReceivedEvent.objects.filter(pk=event.pk).update(next_attempt_at=now + wait)
    expected = isinstance(error, gateways.GatewayError | PaymentNotSettled) and event.attempts < ALARM_AFTER
    report = log.warning if expected else log.error
    report("event not handled", event_id=event.event_id, type=event.type, attempts=event.attempts, error=repr(error))


def purge(now: datetime) -> int:
    """Delete what was handled long ago."""
    return ReceivedEvent.objects.filter(handled_at__isnull=False, received_at__lt=now - KEPT).delete()[0]
