"""The route for proxies: answered by the gate's own statement, or by a DRF view for callers that the statement doesn't
let in.
"""

from collections.abc import Mapping
from functools import update_wrapper
from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.views import APIView

from accounts.lib import addresses
from accounts.lib.problems import InvalidField, Problem
from accounts.permissions import PlatformKey
from usage import gate
from usage.api.authorize import headers, verdicts
from usage.api.fast_path import Question, Reply
from usage.gate.caller import Caller
from usage.gate.query import UnknownMeter

SENT = {
    headers.API_KEY: "The customer's key",
    headers.PLATFORM_KEY: "The platform key, if `Authorization` is the customer's",
    headers.KEY_PARAMETER: "The query parameter that has the customer's key",
    headers.CALL["permission"]: "What the key must be allowed to do",
    headers.CALL["meter"]: "What the call will be charged by",
    headers.CALL["quantity"]: "How many units, 1 by default",
    headers.CALL["ip"]: "Where the customer's call came from",
    headers.CALL["hold_seconds"]: "Seconds to hold the cost, up to 86400",
    headers.REFUSE_WITH: "`403`: instead of 402 and 429, for nginx",
}
RETURNED = {
    "X-Tollgate-Key-Id": "The key's id",
    "X-Tollgate-Organization": "Its organization",
    "X-Tollgate-Permissions": "Those that the key has now, with spaces between",
    "X-Tollgate-Hold": "The hold, if something was held",
}
_described = extend_schema(
    request=None,
    parameters=[
        OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=text)
        for name, text in SENT.items()
    ]
    + [
        OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, description=text, response=[200])
        for name, text in RETURNED.items()
    ],
    responses={200: OpenApiResponse(description="The request may pass")},
)


class AuthorizeView(APIView):
    permission_classes = (PlatformKey,)
    takes_any_parameter = True  # the customer's
    scopes: ClassVar[Mapping[str, str]] = {"get": "keys:read", "post": "keys:read"}
    refusals: ClassVar[Mapping[str, tuple[int, ...]]] = {"get": (402,), "post": (402,)}

    @_described
    def get(self, request: Request, customer: str) -> HttpResponse:
        """Check whether a proxy may forward a customer's request: for nginx `auth_request`, Caddy, Traefik and Envoy.

        Question and answer are in headers. A refusal has the status code that the customer should get.
        """
        caller = Caller(headers.secrets(request._request)[0], addresses.client_address(request) or None, counted=True)
        try:
            reply = _decide(request._request, caller, customer)
        except UnknownMeter as unknown:
            raise InvalidField(headers.CALL["meter"], "There is no such meter.") from unknown
        if reply is None:  # it was good a moment ago
            raise AuthenticationFailed("The API key is not valid any more.")
        return reply.response()

    @_described
    def post(self, request: Request, customer: str) -> HttpResponse:
        """The same, for proxies that ask by POST."""
        return self.get(request, customer)


def _decide(request: HttpRequest, caller: Caller, customer: str) -> Reply | None:
    """The answer to the proxy; None if the caller may not ask."""
    with_403 = headers.refuses_with_403(request)
    verdict = gate.verify(headers.call(request, customer), caller, timezone.now())
    return verdicts.answer(request, verdict, with_403=with_403) if verdict else None


class Authorize:
    """Answers a platform key at once, and leaves all others, and bad headers, to the view."""

    def __init__(self) -> None:
        self.by_view = AuthorizeView.as_view()
        update_wrapper(self, self.by_view)  # which is exempt from CSRF, and has what the schema needs

    def __call__(self, request: HttpRequest, path: str = "") -> HttpResponseBase:
        """Envoy adds the customer's `path` to ours, and uses the customer's method."""
        if reply := self.fast(request):
            return reply.response()
        platform, customer = headers.secrets(request)
        request.META["HTTP_AUTHORIZATION"] = f"Bearer {platform}" if platform else ""
        vars(request).pop("headers", None)  # Django may have read the headers already, and keeps them
        request.method = "POST" if request.method == "POST" else "GET"
        return self.by_view(request, customer=customer)

    def fast(self, request: HttpRequest) -> Reply | None:
        """The reply, or None if the view has to give it. It needs no middleware: see `config.web.front`."""
        platform, customer = headers.secrets(request)
        try:
            return _decide(request, Caller(platform, addresses.client_address(request) or None), customer)
        except (UnknownMeter, Problem):
            return None

    def question(self, request: HttpRequest) -> Question | None:
        """What to ask the database for the reply, if that is one statement. It isn't asked here."""
        platform, customer = headers.secrets(request)
        caller = Caller(platform, addresses.client_address(request) or None)
        try:
            with_403 = headers.refuses_with_403(request)
            question = gate.question(headers.call(request, customer), caller, timezone.now())
        except Problem:
            return None
        if question is None:
            return None
        return question, lambda verdict: verdicts.answer(request, verdict, with_403=with_403)


authorize = Authorize()
