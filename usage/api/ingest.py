"""The short way of usage events: plain ones of a platform key whose use was noted this minute."""

from django.utils import timezone

from usage import metering
from usage.api import fast_path, results
from usage.api.events import EventsView, events_of
from usage.api.fast_path import Asked, NotOrdinary, Said
from usage.gate import query
from usage.gate.query import Caller


def shortly(asked: Asked) -> Said:
    """What became of the events; `NotOrdinary` for CloudEvents, and for who may not send any.

    Once a minute the use of the key has to be noted, and a key with a rate limit is counted: both the ordinary way.
    """
    caller = Caller(asked.secret, asked.address)
    is_cloud_event = "HTTP_CE_SPECVERSION" in asked.request.META
    if is_cloud_event or not query.knows(caller, EventsView.scopes["post"], timezone.now()):
        raise NotOrdinary
    return results.body_of(metering.record(events_of(asked.json()))), {}


record = fast_path.before(EventsView, shortly)
