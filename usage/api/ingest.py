"""The short way of usage events: plain ones of a platform key whose use was noted this minute."""

from django.utils import timezone

from usage import gate_questions, metering
from usage.api import results, short_way
from usage.api.short_way import Asked, NotOrdinary, Said
from usage.api.views import EventsView, events_of
from usage.gate_questions import Caller


def shortly(asked: Asked) -> Said:
    """What became of the events; `NotOrdinary` for CloudEvents, and for who may not send any.

    Once a minute the use of the key has to be noted, and a key with a rate limit is counted: both the ordinary way.
    """
    caller = Caller(asked.secret, asked.address)
    is_cloud_event = "HTTP_CE_SPECVERSION" in asked.request.META
    if is_cloud_event or not gate_questions.knows(caller, EventsView.scopes["post"], timezone.now()):
        raise NotOrdinary
    return results.shown(metering.record(events_of(asked.json()))), {}


record = short_way.before(EventsView, shortly)
