"""The gate over HTTP: by the short way, or by the view of the route."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.authentication import bearer
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField
from accounts.permissions import PlatformKey
from usage import gate
from usage.api import calls, fast_path
from usage.api.fast_path import Asked, NotOrdinary, Said
from usage.gate.query import Call, Caller, UnknownMeter


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


def _shortly(ask: Ask) -> Callable[[Asked], Said]:
    """For a caller whom the statement lets in."""

    def answer(asked: Asked) -> Said:
        _, judge = ask(asked.json(), Caller(asked.secret, asked.address))
        try:
            said = judge()
        except UnknownMeter as unknown:
            raise NotOrdinary from unknown
        if said is None:
            raise NotOrdinary
        return said

    return answer


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


verify = fast_path.before(VerifyView, _shortly(one))
verify_batch = fast_path.before(VerifyBatchView, _shortly(several))
