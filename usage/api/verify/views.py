"""The gate over HTTP: by the fast path, or by the view of the route."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.authentication import bearer
from accounts.lib import addresses
from accounts.lib.problems import InvalidField
from accounts.permissions import PlatformKey
from apikeys import rate_limits
from usage import gate
from usage.api import fast_path
from usage.api.fast_path import Ask, FastRequest, FastResponse, UseView
from usage.api.verify import calls
from usage.gate.caller import Caller
from usage.gate.query import Call, UnknownMeter
from usage.gate.verdict import Verdict

# The calls of a body, and the function that judges them: None if the caller turns out not to be authorized.
Judge = Callable[[], FastResponse | None]
Reader = Callable[[Any, Caller], tuple[Sequence[Call], Judge]]


class VerifyView(APIView):
    permission_classes = (PlatformKey,)
    scopes: ClassVar[Mapping[str, str]] = {"post": "keys:read"}

    @extend_schema(request=calls.VerifySerializer, responses=calls.VerdictSerializer)
    def post(self, request: Request) -> Any:
        """Check whether a customer's key may make this call now, and what it costs. `hold_seconds` holds the cost.

        The first reason against decides, and a refused call costs nothing. A usage event that names the `hold` captures
        it. The headers of the rate limit are those of the customer's key.
        """
        return _by_view(self, request, single)


class VerifyBatchView(APIView):
    permission_classes = (PlatformKey,)
    scopes: ClassVar[Mapping[str, str]] = {"post": "keys:read"}

    @extend_schema(request=calls.VerifyBatchSerializer, responses=calls.VerdictsSerializer)
    def post(self, request: Request) -> Any:
        """Check 1 to 100 calls at once. The verdicts come in order, each as if asked after the ones before.

        One bad call refuses all of them, and nothing is done.
        """
        return _by_view(self, request, batch)


def single(body: Any, caller: Caller) -> tuple[Sequence[Call], Judge]:
    call = calls.read(body)

    def judge() -> FastResponse | None:
        verdict = gate.verify(call, caller, timezone.now())
        if verdict is None:
            return None
        return _respond(call, verdict)

    return [call], judge


def _respond(call: Call, verdict: Verdict) -> FastResponse:
    return calls.body_of(call, verdict), rate_limits.headers(verdict.counts)


def batch(body: Any, caller: Caller) -> tuple[Sequence[Call], Judge]:
    several = calls.read_all(body)

    def judge() -> FastResponse | None:
        verdicts = gate.verify_all(several, caller, timezone.now())
        if verdicts is None:
            return None
        pairs = zip(several, verdicts, strict=True)
        return {"results": [calls.body_of(call, verdict) for call, verdict in pairs]}, {}

    return several, judge


def _fast(read: Reader) -> Callable[[FastRequest], FastResponse]:
    """Answers a caller that the gate's own statement lets in."""

    def answer(request: FastRequest) -> FastResponse:
        _, judge = read(request.json(), Caller(request.secret, request.address))
        try:
            response = judge()
        except UnknownMeter as unknown:
            raise UseView from unknown
        if response is None:
            raise UseView
        return response

    return answer


def _ask(request: FastRequest) -> Ask | None:
    call = calls.read(request.json())
    question = gate.question(call, Caller(request.secret, request.address), timezone.now())
    return (question, partial(_respond, call)) if question else None


def _by_view(view: APIView, request: Request, read: Reader) -> Any:
    """Answers a caller that DRF has let in."""
    caller = Caller(bearer(request) or "", addresses.client_address(request) or None, counted=True)
    several, judge = read(request.data, caller)

    def effect() -> Response:
        try:
            response = judge()
        except UnknownMeter as unknown:
            pointer = f"calls/{unknown.index}/meter" if read is batch else "meter"
            raise InvalidField(pointer, "There is no such meter.") from unknown
        if response is None:  # it was good a moment ago
            raise AuthenticationFailed("The API key is not valid any more.")
        body, headers = response
        view.headers.update(headers)  # instead of those of the caller's own limit
        return Response(body)

    holds = any(call.hold_seconds is not None for call in several)
    return idempotency.once(request, effect) if holds else effect()


verify = fast_path.Route(VerifyView, _fast(single), ask=_ask)
verify_batch = fast_path.Route(VerifyBatchView, _fast(batch))
