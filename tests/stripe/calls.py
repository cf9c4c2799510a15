"""One call of the API: who asks, the parameters, the idempotency key, the fault that was ordered, the effect."""

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.stripe import params, routes
from tests.stripe.errors import ApiError
from tests.stripe.faults import Fault, Faults
from tests.stripe.resources import intents, refunds, sessions
from tests.stripe.routes import Route
from tests.stripe.state import API_VERSION, KEYS_LAST, Answer, Object, State, expand

SERVER_ERROR = {"error": {"type": "api_error", "message": "Something went wrong on Stripe's end."}}
HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


class Cut(Exception):
    """The connection is to be cut."""


@dataclass
class Reply:
    status: int
    body: bytes
    headers: dict[str, str]
    delay: float = 0


class Calls:
    def __init__(self, state: State, faults: Faults) -> None:
        self.state, self.faults = state, faults

    def answer(self, method: str, path: str, encoded: str, headers: Any) -> Reply:
        """The reply; `Cut` when there is to be none."""
        try:
            _check_caller(headers)
            route, ids = routes.find(method, path)
            fault = self.faults.take(route.name)
            has_telemetry = "X-Stripe-Client-Telemetry" in headers
            key = headers.get("Idempotency-Key")
            self.state.calls.append({"name": route.name, "key": key, "has_telemetry": has_telemetry})
            if fault and (reply := _refused(fault)):
                return reply
            sent = params.parse(encoded)
            params.check(sent, route.params)
        except ApiError as error:
            return _reply(error.status, error.body)
        if fault and fault.kind == "held":
            time.sleep(fault.seconds)
        reply = self._keyed(key if method == "POST" else None, f"{path}?{encoded}", route, ids, sent, fault)
        if fault and fault.kind == "cut_after":
            raise Cut
        reply.delay = fault.seconds if fault and fault.kind == "late" else 0
        return reply

    def _keyed(
        self, key: str | None, request: str, route: Route, ids: tuple[str, ...], sent: Object, fault: Fault | None
    ) -> Reply:
        """The stored answer of the key, or a new one, which is stored: a 402 and a 500 too."""
        if key is None:
            return self._do(route, ids, sent, fault)
        with self.state.lock:
            kept = self.state.answers.get(key)
            if kept and kept.at + KEYS_LAST > self.state.now():
                return _replayed(kept, request)
            kept = self.state.answers[key] = Answer(request, self.state.now())
        reply = self._do(route, ids, sent, fault)
        kept.body, kept.status = reply.body, reply.status
        return reply

    def _do(self, route: Route, ids: tuple[str, ...], sent: Object, fault: Fault | None) -> Reply:
        paths = sent.pop("expand", [])
        with self.state.lock:
            sessions.expire_overdue(self.state)
            try:
                row = self._effect(route, ids, sent, fault)
                reply = _reply(200, expand(self.state, row, paths))
            except ApiError as error:
                reply = _reply(error.status, error.body)
        return _reply(500, SERVER_ERROR) if fault and fault.kind == "stored_500" else reply

    def _effect(self, route: Route, ids: tuple[str, ...], sent: Object, fault: Fault | None) -> Object:
        if fault and fault.kind == "decline":
            return route.handler(self.state, sent, *ids, decline=fault.codes)
        if fault and fault.kind == "processing":
            return intents.process(self.state, sent, *ids)
        if fault and fault.kind == "pending":
            return refunds.create_refund(self.state, sent, status="pending")
        return route.handler(self.state, sent, *ids)


def _check_caller(headers: Any) -> None:
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not key.startswith(("sk_test_", "rk_test_")):
        raise ApiError(401, "invalid_request_error", "Invalid API Key provided.")
    if headers.get("Stripe-Version") != API_VERSION:
        raise ApiError(400, "invalid_request_error", "This stand-in knows one API version.")


def _refused(fault: Fault) -> Reply | None:
    """The answer of a fault that keeps the call from having an effect."""
    if fault.kind == "cut_before":
        raise Cut
    if fault.kind == "key_in_use":
        error = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "Another request runs."}
        return _reply(409, {"error": error})
    if fault.kind == "lock_timeout":
        error = {"type": "invalid_request_error", "code": "lock_timeout", "message": "The object is locked."}
        return _reply(429, {"error": error}, {"Stripe-Should-Retry": "true"})
    if fault.kind != "status":
        return None
    if fault.status in (200, 502):
        return Reply(fault.status, HTML, {"Content-Type": "text/html"})
    messages = {429: "Too many requests.", 401: "Invalid API Key provided.", 403: "The key lacks a permission."}
    error = {"type": "invalid_request_error", "message": messages.get(fault.status, "")}
    return _reply(fault.status, {"error": error} if fault.status in messages else SERVER_ERROR)


def _replayed(kept: Answer, request: str) -> Reply:
    if kept.request != request:
        message = "Keys for idempotent requests can only be used with the same parameters they were first used with."
        return _reply(400, {"error": {"type": "idempotency_error", "message": message}})
    if kept.status is None:
        error = {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "Another request runs."}
        return _reply(409, {"error": error})
    return Reply(kept.status, kept.body, {"Content-Type": "application/json", "Idempotent-Replayed": "true"})


def _reply(status: int, body: Object, headers: dict[str, str] | None = None) -> Reply:
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json", **(headers or {})})
