"""One connection pool to Tollgate, and the calls that a gateway makes. Safe to share between threads."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import uuid4

from urllib3 import PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from tollgate_client.errors import Refused, Unreachable
from tollgate_client.types import EventResult, UsageEvent, VerifyRequest
from tollgate_client.types import Lease as LeaseBody

IN_USE = "idempotency_key_in_use"  # an earlier attempt is still running
AGAIN = (502, 503, 504)  # safe to repeat: an id or a key makes sure that it counts once
PAUSE = 0.1  # seconds, doubled each time


@dataclass(frozen=True)
class Verdict:
    """The gate's answer about a call. `hold` is the id of the credits held for it: name it in the usage event."""

    valid: bool
    code: str
    key_id: str | None
    organization: str | None
    permissions: Sequence[str]
    expires_at: str | None
    cost: Decimal
    available: Decimal | None
    hold: str | None = None


class Client:
    """`url` is Tollgate's address, `secret` belongs to a platform key.

    A call that gets no answer is repeated `retries` times, with growing pauses, if repeating it is safe. Raises
    `Refused` if Tollgate refuses, `Unreachable` if there is no answer.
    """

    def __init__(
        self, url: str, secret: str, *, retries: int = 4, connect_timeout: float = 2, read_timeout: float = 10
    ) -> None:
        self.url = url.rstrip("/")
        self.retries = Retry(
            retries,
            allowed_methods=None,
            status_forcelist=AGAIN,
            backoff_factor=PAUSE,
            raise_on_status=False,
            respect_retry_after_header=False,  # a gateway's caller can't wait for a minute
            redirect=0,
        )
        self.pool = PoolManager(maxsize=32, timeout=Timeout(connect=connect_timeout, read=read_timeout))
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def verify(self, key: str, **params: Any) -> Verdict:
        """May this key make this call? `params`: permission, meter, quantity, ip, hold_seconds."""
        return _verdict(self.post("/v1/keys/verify", {"key": key, **params}, **_repeating([params])))

    def verify_many(self, calls: Iterable[VerifyRequest | Mapping[str, Any]]) -> list[Verdict]:
        """The verdicts of 1 to 100 calls in one request. Each call is a mapping with the arguments of `verify`."""
        bodies = list(calls)
        answer = self.post("/v1/keys/verify/batch", {"calls": bodies}, **_repeating(bodies))
        return [_verdict(result) for result in answer["results"]]

    def take_lease(self, organization: str, amount: Decimal, *, key: str | None = None, **terms: Any) -> LeaseBody:
        """Reserves up to `amount` for a gateway. `terms`: minimum, ttl_seconds, grace_seconds, key_id, reference.

        The same `key` returns the same lease.
        """
        body = {"organization": organization, "amount": amount, **terms}
        lease: LeaseBody = self.post("/v1/credits/leases", body, key=key or str(uuid4()))
        return lease

    def extend_lease(self, lease: str, amount: Decimal, ttl_seconds: int, *, key: str | None = None) -> LeaseBody:
        """Adds `amount`, and lets the lease live for `ttl_seconds` from now. The same `key` extends it only once."""
        body = {"amount": amount, "ttl_seconds": ttl_seconds}
        extended: LeaseBody = self.post(f"/v1/credits/leases/{lease}/extend", body, key=key or str(uuid4()))
        return extended

    def return_lease(self, lease: str) -> LeaseBody:
        returned: LeaseBody = self.post(f"/v1/credits/leases/{lease}/return", {}, key=str(uuid4()))
        return returned

    def send_usage(self, events: Sequence[UsageEvent | Mapping[str, Any]]) -> list[EventResult]:
        """Records up to 1,000 events. Returns a result for each, in order. An id that is sent again counts once."""
        results: list[EventResult] = self.post("/v1/usage/events", {"events": list(events)}).get("results")
        if not isinstance(results, list) or len(results) != len(events):
            raise Unreachable("an answer without a result for each event")
        return results

    def post(self, path: str, body: Mapping[str, Any], *, key: str | None = None, repeatable: bool = True) -> Any:
        """The answer to a POST. Without one it's repeated, if it has an idempotency `key` or is `repeatable`."""
        headers = {**self.headers, "Idempotency-Key": key} if key else self.headers
        retries = self.retries if key or repeatable else self.retries.new(read=0)
        content = encode(body)
        for attempt in count():
            try:
                response = self.pool.request("POST", self.url + path, body=content, headers=headers, retries=retries)
            except HTTPError as error:
                raise Unreachable(str(error)) from error
            body = decode(response.status, response.data)
            if body.get("code") != IN_USE or attempt >= int(self.retries.total or 0):
                return _answer(response.status, body)
            time.sleep(PAUSE * 2**attempt)
        raise AssertionError


def _repeating(calls: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A call that holds credits gets a key, so it may be repeated. Others count in rate limits and aren't repeated."""
    return {"key": str(uuid4())} if any(call.get("hold_seconds") for call in calls) else {"repeatable": False}


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON with decimals as strings of plain digits, exact for any reader. Raises `ValueError` for NaN and infinity."""
    return json.dumps(body, default=_text, separators=(",", ":"), allow_nan=False).encode()


def _text(value: object) -> str:
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def decode(status: int, data: bytes) -> dict[str, Any]:
    """The body of an answer, exact. Raises `Unreachable` if something else than Tollgate answered."""
    try:
        body = json.loads(data, parse_float=Decimal)
    except ValueError as error:
        raise Unreachable(f"{status}, and no JSON") from error
    if not isinstance(body, dict):
        raise Unreachable(f"{status}, and no JSON object")
    return body


def _answer(status: int, body: dict[str, Any]) -> dict[str, Any]:
    if status >= 500 or body.get("code") == IN_USE:
        raise Unreachable(f"{status}: {body.get('detail', '')}")
    if status >= 400:
        raise Refused(status, body)
    return body


def _verdict(result: Mapping[str, Any]) -> Verdict:
    amounts = {name: None if result[name] is None else Decimal(result[name]) for name in ("cost", "available")}
    hold = result.get("hold")
    return Verdict(**{**result, **amounts, "hold": hold["id"] if isinstance(hold, Mapping) else hold})
