"""The gate in front of a Python application: the common part of the ASGI and the WSGI middleware."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from tollgate_client.client import Client, Verdict
from tollgate_client.errors import Unreachable
from tollgate_client.reporter import Reporter

# The status and the reason that the customer gets.
REFUSALS = {
    "NOT_FOUND": (401, "The API key is missing or unknown."),
    "REVOKED": (401, "The API key is revoked."),
    "EXPIRED": (401, "The API key is expired."),
    "DISABLED": (401, "The API key is disabled."),
    "IP_NOT_ALLOWED": (403, "This API key may not be used from this address."),
    "INSUFFICIENT_PERMISSIONS": (403, "This API key lacks the permission."),
    "ORGANIZATION_SUSPENDED": (403, "The organization is suspended."),
    "RATE_LIMITED": (429, "Too many requests with this API key. Try again later."),
    "BUDGET_EXCEEDED": (402, "The budget does not allow this."),
    "INSUFFICIENT_CREDITS": (402, "There are not enough credits."),
}
TITLES = {
    401: "Unauthorized",
    402: "Payment Required",
    403: "Forbidden",
    429: "Too Many Requests",
    503: "Service Unavailable",
}
BEARER = "bearer "


@dataclass(frozen=True)
class Rule:
    """What a request requires and costs. `endpoint` is its name in usage; by default the route, or the path."""

    permission: str | None = None
    meter: str | None = None
    quantity: Decimal | int = 1
    hold_seconds: int | None = None
    endpoint: str | None = None


@dataclass(frozen=True)
class Passage:
    """A request that may pass. `verdict` is None if it passes because Tollgate doesn't answer."""

    rule: Rule
    verdict: Verdict | None


@dataclass(frozen=True)
class Refusal:
    """The answer to the customer: a problem document."""

    status: int
    code: str
    detail: str

    @property
    def line(self) -> str:
        return f"{self.status} {TITLES[self.status]}"

    @property
    def headers(self) -> list[tuple[str, str]]:
        challenge = [("WWW-Authenticate", "Bearer")] if self.status == 401 else []
        return [("Content-Type", "application/problem+json"), ("Content-Length", str(len(self.body))), *challenge]

    @property
    def body(self) -> bytes:
        title = TITLES[self.status]
        problem = {"type": "about:blank", "title": title, "status": self.status, "detail": self.detail}
        return json.dumps({**problem, "code": self.code}).encode()


@dataclass(frozen=True)
class Gate:
    """Asks about requests, and reports the usage.

    `rule` says what a request needs, by its method and path; None for one that needs no key. Without a `reporter`
    nothing is metered. If Tollgate doesn't answer, requests are refused with 503; "serve" lets them pass, unmetered.
    """

    client: Client
    rule: Rule | Callable[[str, str], Rule | None]
    reporter: Reporter | None = None
    when_unreachable: Literal["refuse", "serve"] = "refuse"

    def ask(self, method: str, path: str, headers: Mapping[str, str], ip: str | None) -> Passage | Refusal | None:
        """`headers` has names in lower case. None if the request needs no key."""
        rule = self.rule(method, path) if callable(self.rule) else self.rule
        if rule is None:
            return None
        secret = _key(headers)
        if not secret:
            return _refuse("NOT_FOUND")
        try:
            verdict = self.client.verify(secret, **_params(rule, ip))
        except Unreachable:
            if self.when_unreachable == "serve":
                return Passage(rule, None)
            return Refusal(503, "unavailable", "The request can't be checked now. Try again later.")
        return Passage(rule, verdict) if verdict.valid else _refuse(verdict.code)

    def report(self, passage: Passage, endpoint: str, status: int) -> None:
        """Reports a served request, with its status."""
        rule, verdict = passage.rule, passage.verdict
        if self.reporter is None or rule.meter is None or verdict is None:
            return
        event: dict[str, Any] = {"key_id": verdict.key_id, "meter": rule.meter, "quantity": rule.quantity}
        hold = {"hold": verdict.hold} if verdict.hold else {}
        self.reporter.report(**event, endpoint=rule.endpoint or endpoint, status=str(status), **hold)


def _key(headers: Mapping[str, str]) -> str:
    """The customer's key: in `X-Api-Key`, or as the bearer."""
    bearer = headers.get("authorization", "")
    return headers.get("x-api-key") or (bearer[len(BEARER) :].strip() if bearer.lower().startswith(BEARER) else "")


def _params(rule: Rule, ip: str | None) -> dict[str, Any]:
    params = {
        "permission": rule.permission,
        "meter": rule.meter,
        "quantity": rule.quantity,
        "hold_seconds": rule.hold_seconds,
        "ip": ip,
    }
    return {name: value for name, value in params.items() if value is not None}


def _refuse(code: str) -> Refusal:
    status, detail = REFUSALS[code]
    return Refusal(status, code.lower(), detail)
