"""The short way to an answer: without what DRF does around a view, which takes longer than all the rest.

What a platform key posts in the ordinary way, as JSON of a decent size, is answered by a plain function. Whatever else
comes (another credential, a bad body, an Idempotency-Key) goes to the DRF view of the route, whose contract is that of
every other one. So the short way says no refusal; what it says, the view says with an `Allow` header and else alike.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, update_wrapper
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from accounts.lib import exact_json
from accounts.lib.addresses import client_address
from accounts.lib.problems import Problem
from usage.api.calls import address

JSON = "application/json"
PREFIX = "Bearer sk_"

Said = tuple[dict[str, Any], dict[str, str]]  # the members of the answer, and its headers


class NotOrdinary(Exception):
    """This is for the view of the route to answer. Nothing was done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What has the looks of the ordinary; whose `secret` it is was not asked yet. `address` is None if it is none."""

    request: HttpRequest
    secret: str
    address: str | None

    def json(self) -> Any:
        """The body; `NotOrdinary` where it is no JSON."""
        try:
            return exact_json.loads(self.request.body)
        except exact_json.InvalidJson as error:
            raise NotOrdinary from error


def before(view: type[APIView], answer: Callable[[Asked], Said]) -> Callable[..., HttpResponseBase]:
    """The view of a route, which is asked what `answer` leaves to it by `NotOrdinary` or a `Problem`.

    `answer` raises them before it has done anything, or undoes what it did: the view does all of it.
    """
    ordinary = view.as_view()

    def respond(request: HttpRequest) -> HttpResponseBase:
        return _shortly(request, view, answer) or ordinary(request)

    return update_wrapper(respond, ordinary)  # which is exempt from CSRF, and says what the schema needs


def _shortly(request: HttpRequest, view: type[APIView], answer: Callable[[Asked], Said]) -> HttpResponse | None:
    try:
        said, headers = answer(asked(request, getattr(view, "body_limit", settings.BODY_LIMIT_BYTES)))
    except (NotOrdinary, Problem):
        return None
    return HttpResponse(_renderer().render(said), content_type=JSON, headers=headers)


def asked(request: HttpRequest, limit: int) -> Asked:
    """What is asked, if that is in the ordinary way and at most `limit` bytes; `NotOrdinary`."""
    meta = request.META
    authorization = meta.get("HTTP_AUTHORIZATION", "")
    length = meta.get("CONTENT_LENGTH", "")
    if (
        request.method != "POST"
        or request.content_type != JSON
        or not authorization.startswith(PREFIX)
        or "HTTP_IDEMPOTENCY_KEY" in meta
        or not length.isdecimal()
        or int(length) > limit
    ):
        raise NotOrdinary
    return Asked(request, authorization.removeprefix("Bearer "), address(client_address(request)))


@cache
def _renderer() -> Any:
    classes: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return classes[0]()
