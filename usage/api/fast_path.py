"""The fast path to a response skips what DRF does around a view, which takes longer than everything else.

What a platform key posts as plain JSON of a normal size is answered by a plain function. Anything else (another
credential, a bad body, an Idempotency-Key) goes to the DRF view of the route, which treats it as any view does. So the
fast path never refuses anything itself. Both give the same answer, except for the view's `Allow` header.
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

from accounts.lib import addresses, exact_json
from accounts.lib.problems import Problem
from usage import gate
from usage.gate.verdict import Verdict

JSON = "application/json"
PREFIX = "Bearer sk_"

FastResponse = tuple[dict[str, Any], dict[str, str]]  # the members of the body, and the headers


@dataclass(frozen=True, slots=True)
class Reply:
    """A response without Django's class for it, which takes several times as long to make."""

    status: int
    headers: dict[str, str]
    body: bytes

    def response(self) -> HttpResponse:
        return HttpResponse(self.body, status=self.status, headers=self.headers)


# The gate's statement for a request, and the function that makes the reply from its verdict.
Question = tuple[gate.Question, Callable[[Verdict], Reply]]
Ask = tuple[gate.Question, Callable[[Verdict], FastResponse]]


class UseView(Exception):
    """The view of the route has to answer this. Nothing was done."""


@dataclass(frozen=True, slots=True)
class FastRequest:
    """A request that the fast path may answer. The `secret` has not been checked yet.

    `address` is the client's, None if it is not known.
    """

    request: HttpRequest
    secret: str
    address: str | None

    def json(self) -> Any:
        """The body; `UseView` if it is not JSON."""
        try:
            return exact_json.loads(self.request.body)
        except exact_json.InvalidJson as error:
            raise UseView from error


class Route:
    """What a URL is routed to: `answer`, and the view for anything that `answer` leaves by `UseView` or a `Problem`.

    `answer` raises them before it has done anything, or undoes what it did, since the view then does all of it.
    """

    def __init__(
        self,
        view: type[APIView],
        answer: Callable[[FastRequest], FastResponse],
        *,
        ask: Callable[[FastRequest], Ask | None] = lambda _: None,
    ) -> None:
        self.answer, self.ask, self.by_view = answer, ask, view.as_view()
        self.body_limit = getattr(view, "body_limit", settings.BODY_LIMIT_BYTES)
        update_wrapper(self, self.by_view)  # which is exempt from CSRF, and has what the schema needs

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        reply = self.fast(request)
        return reply.response() if reply else self.by_view(request)

    def fast(self, request: HttpRequest) -> Reply | None:
        """The reply, or None if the view has to answer. It needs no middleware: see `config.web.front`."""
        try:
            body, headers = self.answer(accept(request, self.body_limit))
        except (UseView, Problem):
            return None
        return _reply(body, headers)

    def question(self, request: HttpRequest) -> Question | None:
        """The single statement that decides the reply, if one is enough. It isn't run here."""
        try:
            ask = self.ask(accept(request, self.body_limit))
        except (UseView, Problem):
            return None
        return ask and (ask[0], lambda verdict: _reply(*ask[1](verdict)))


def _reply(body: dict[str, Any], headers: dict[str, str]) -> Reply:
    return Reply(200, {**headers, "Content-Type": JSON}, _renderer().render(body))


def accept(request: HttpRequest, limit: int) -> FastRequest:
    """The request, if the fast path may answer it and its body has at most `limit` bytes; `UseView` if not."""
    meta = request.META
    authorization = meta.get("HTTP_AUTHORIZATION", "")
    length = meta.get("CONTENT_LENGTH", "")
    if (
        request.method != "POST"
        or request.content_type != JSON
        or not authorization.startswith(PREFIX)
        or "HTTP_IDEMPOTENCY_KEY" in meta
        or meta.get("QUERY_STRING")
        or not length.isdecimal()
        or int(length) > limit
    ):
        raise UseView
    address = addresses.client_address(request) or None
    return FastRequest(request, authorization.removeprefix("Bearer "), address)


@cache
def _renderer() -> Any:
    classes: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return classes[0]()
