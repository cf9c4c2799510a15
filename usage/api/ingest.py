"""The fast path of usage events: plain ones of a platform key whose use was noted within this minute."""

from django.utils import timezone

from usage import metering
from usage.api import fast_path, results
from usage.api.events import EventsView, events_of
from usage.api.fast_path import FastRequest, FastResponse, UseView
from usage.gate import caller
from usage.gate.caller import Caller


def answer(request: FastRequest) -> FastResponse:
    """The results of the events; `UseView` for CloudEvents, and for a caller who may not send events.

    The view also notes the use of the caller's key, once a minute, and counts a caller's key that has a rate limit.
    """
    sender = Caller(request.secret, request.address)
    is_cloud_event = "HTTP_CE_SPECVERSION" in request.request.META
    if is_cloud_event or not caller.is_authorized(sender, EventsView.scopes["post"], timezone.now()):
        raise UseView
    return results.body_of(metering.record(events_of(request.json()))), {}


record = fast_path.Route(EventsView, answer)
