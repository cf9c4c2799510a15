"""Usage events without what DRF does around a view, as `usage.api.verify` has it for the gate.

A platform key that sends plain events in JSON is answered by a plain function. Whatever else comes goes to the DRF view
of the route, whose contract is that of every other one: the short way says no refusal, and so can't differ in any.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from functools import update_wrapper

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone

from accounts.addresses import client_address
from accounts.exceptions import Problem
from usage import judging, metering
from usage.api import calls, results
from usage.api.verify import JSON, PREFIX, refuse_constant, renderer
from usage.api.views import EventsView, events_of
from usage.judging import Caller


def at_once(ordinary: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """The view of the route, with a short way for what is sent in the ordinary way."""

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _shortly(request) or ordinary(request)

    return update_wrapper(answer, ordinary)  # which is exempt from CSRF, and says what the schema needs


def _shortly(request: HttpRequest) -> HttpResponse | None:
    """The answer; None where anything is out of the ordinary, and then nothing was done."""
    if not _is_ordinary(request):
        return None
    try:
        body = json.loads(request.body, parse_float=Decimal, parse_constant=refuse_constant)
        recorded = metering.record(events_of(body))
    except (ValueError, ArithmeticError, RecursionError, Problem):
        return None
    return HttpResponse(renderer().render(results.shown(recorded)), content_type=JSON)


def _is_ordinary(request: HttpRequest) -> bool:
    """Whether a platform key that may do so sends JSON of a decent size, and does not name this request.

    Once a minute the use of the key has to be noted, and a key with a rate limit is counted: both the ordinary way.
    """
    meta = request.META
    authorization = meta.get("HTTP_AUTHORIZATION", "")
    length = meta.get("CONTENT_LENGTH", "")
    if (
        request.method != "POST"
        or request.content_type != JSON
        or not authorization.startswith(PREFIX)
        or "HTTP_IDEMPOTENCY_KEY" in meta
        or "HTTP_CE_SPECVERSION" in meta
        or not length.isdecimal()
        or int(length) > settings.USAGE_BODY_LIMIT_BYTES
    ):
        return False
    caller = Caller(authorization.removeprefix("Bearer "), calls.address(client_address(request)))
    return judging.knows(caller, EventsView.scopes["post"], timezone.now())
