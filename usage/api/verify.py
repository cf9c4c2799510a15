"""The gate over HTTP.

What is asked in the ordinary way is answered by a plain function, without what DRF does around a view. Whatever else
comes (another credential, a bad body, an Idempotency-Key) goes to the DRF view of the route, whose contract is that of
every other one: the short way says no refusal, and so can't differ in any.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache, update_wrapper
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.settings import api_settings
from rest_framework.views import APIView

from accounts import idempotency
from accounts.addresses import client_address
from accounts.authentication import bearer
from accounts.exceptions import InvalidField, Problem
from accounts.permissions import PlatformKey
from usage import gate
from usage.api import calls
from usage.judging import Call, Caller, UnknownMeter

JSON = "application/json"
PREFIX = "Bearer sk_"

Said = tuple[dict[str, Any], dict[str, str]]  # the members of the answer, and its headers


class VerifyView(APIView):
    permission_classes = (PlatformKey,)
    scopes: ClassVar[Mapping[str, str]] = {"post": "keys:read"}

    @extend_schema(request=calls.VerifySerializer, responses=calls.VerdictSerializer)
    def post(self, request: Request) -> Any:
        """Whether a customer's key may make this call now, and what it would cost. With `hold_seconds` that is held.

        The first reason against decides, and a refused call costs nothing. A usage event that names the `hold` captures
        it. The headers of the rate limit are those of the customer's key.
        """
        return _ordinarily(self, request, one)


class VerifyBatchView(APIView):
    permission_classes = (PlatformKey,)
    scopes: ClassVar[Mapping[str, str]] = {"post": "keys:read"}

    @extend_schema(request=calls.VerifyBatchSerializer, responses=calls.VerdictsSerializer)
    def post(self, request: Request) -> Any:
        """Ask about 1 to 100 calls at once: the verdicts in their order, each as if asked after those before it.

        One bad call refuses all of them, and nothing is done.
        """
        return _ordinarily(self, request, several)


def one(body: Any, caller: Caller) -> tuple[Sequence[Call], Callable[[], Said | None]]:
    call = calls.read(body)

    def judge() -> Said | None:
        verdict = gate.verify(call, caller, timezone.now())
        return (calls.shown(call, verdict), verdict.count.headers if verdict.count else {}) if verdict else None

    return [call], judge


def several(body: Any, caller: Caller) -> tuple[Sequence[Call], Callable[[], Said | None]]:
    asked = calls.read_all(body)

    def judge() -> Said | None:
        verdicts = gate.verify_all(asked, caller, timezone.now())
        if verdicts is None:
            return None
        return {"results": [calls.shown(call, one) for call, one in zip(asked, verdicts, strict=True)]}, {}

    return asked, judge


Ask = Callable[[Any, Caller], tuple[Sequence[Call], Callable[[], Said | None]]]


def at_once(view: type[APIView], ask: Ask) -> Callable[..., HttpResponseBase]:
    """The view of a route, with a short way for what is asked in the ordinary way."""
    ordinary = view.as_view()

    def answer(request: HttpRequest) -> HttpResponseBase:
        return _shortly(request, ask) or ordinary(request)

    return update_wrapper(answer, ordinary)  # which is exempt from CSRF, and says what the schema needs


def _shortly(request: HttpRequest, ask: Ask) -> HttpResponse | None:
    """The answer; None where anything is out of the ordinary, and then nothing was done."""
    meta = request.META
    authorization = meta.get("HTTP_AUTHORIZATION", "")
    length = meta.get("CONTENT_LENGTH", "")
    if (
        request.method != "POST"
        or request.content_type != JSON
        or not authorization.startswith(PREFIX)
        or "HTTP_IDEMPOTENCY_KEY" in meta
        or not length.isdecimal()
        or int(length) > settings.BODY_LIMIT_BYTES
    ):
        return None
    caller = Caller(authorization.removeprefix("Bearer "), calls.address(client_address(request)))
    try:
        body = json.loads(request.body, parse_float=Decimal, parse_constant=refuse_constant)
        _, judge = ask(body, caller)
        said = judge()
    except (ValueError, ArithmeticError, RecursionError, UnknownMeter, Problem):
        return None
    if said is None:
        return None
    answer, headers = said
    return HttpResponse(renderer().render(answer), content_type=JSON, headers=headers)


def _ordinarily(view: APIView, request: Request, ask: Ask) -> Any:
    """For a caller whom DRF has let in."""
    caller = Caller(bearer(request) or "", calls.address(client_address(request)), counted=True)
    asked, judge = ask(request.data, caller)

    def effect() -> Response:
        try:
            said = judge()
        except UnknownMeter as unknown:
            place = f"calls/{unknown.index}/" if ask is several else ""
            raise InvalidField(f"{place}meter", "There is no such meter.") from unknown
        if said is None:  # it was a good one a moment ago
            raise AuthenticationFailed("The API key is no good any more.")
        answer, headers = said
        view.headers.update(headers)  # instead of those of the caller's own limit
        return Response(answer)

    holds = any(call.hold_seconds is not None for call in asked)
    return idempotency.once(request, effect) if holds else effect()


def refuse_constant(constant: str) -> None:
    raise ValueError(constant)


@cache
def renderer() -> Any:
    classes: Any = api_settings.DEFAULT_RENDERER_CLASSES
    return classes[0]()
