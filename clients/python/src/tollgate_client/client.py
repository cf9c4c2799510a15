"""One connection pool to Tollgate, and the calls that a gateway makes. Safe to share between threads."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import uuid4

from urllib3 import HTTPResponse, PoolManager, Retry, Timeout
from urllib3.exceptions import HTTPError

from tollgate_client.errors import Refused, Unreachable

IN_USE = "idempotency_key_in_use"  # an attempt of before is still at it
AGAIN = (429, 502, 503, 504)  # nothing was done; or what was done is answered again, by its id or its key


@dataclass(frozen=True)
class Verdict:
    """What the gate says of a call. `hold` is the id of what was held for it, to be named by its usage event."""

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
    """`url` is Tollgate's, `secret` that of a platform key.

    A call that is not answered is made again, `retries` times with growing pauses, and has one effect all the same.
    Raises `Refused` where Tollgate says no, `Unreachable` where it says nothing.
    """

    def __init__(
        self, url: str, secret: str, *, retries: int = 4, connect_timeout: float = 2, read_timeout: float = 10
    ) -> None:
        self.url = url.rstrip("/")
        again = Retry(
            retries,
            allowed_methods=None,
            status_forcelist=AGAIN,
            backoff_factor=0.1,
            raise_on_status=False,
            respect_retry_after_header=False,  # a caller of a gateway does not wait for a minute
            redirect=0,
        )
        self.pool = PoolManager(maxsize=32, retries=again, timeout=Timeout(connect=connect_timeout, read=read_timeout))
        self.headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}

    def verify(self, key: str, **asked: Any) -> Verdict:
        """May this key make this call? `asked`: permission, meter, quantity, ip, hold_seconds."""
        about = self.post("/v1/keys/verify", {"key": key, **asked}, once="hold_seconds" in asked)
        return _verdict(about)

    def verify_many(self, calls: Iterable[Mapping[str, Any]]) -> list[Verdict]:
        """The verdicts of 1 to 100 calls, each as the arguments of `verify`, in one request."""
        asked = list(calls)
        about = self.post("/v1/keys/verify/batch", {"calls": asked}, once=any("hold_seconds" in one for one in asked))
        return [_verdict(one) for one in about["results"]]

    def take_lease(self, organization: str, amount: Decimal, **terms: Any) -> dict[str, Any]:
        """Reserve up to `amount` for a gateway. `terms`: minimum, ttl_seconds, grace_seconds, key_id, reference."""
        return self.post("/v1/credits/leases", {"organization": organization, "amount": amount, **terms}, once=True)

    def extend_lease(self, lease: str, amount: Decimal, ttl_seconds: int) -> dict[str, Any]:
        return self.post(
            f"/v1/credits/leases/{lease}/extend", {"amount": amount, "ttl_seconds": ttl_seconds}, once=True
        )

    def return_lease(self, lease: str) -> dict[str, Any]:
        return self.post(f"/v1/credits/leases/{lease}/return", {}, once=True)

    def send_usage(self, events: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Record up to 1,000 events; one result each, in order. Their ids make it safe to send them again."""
        results: list[dict[str, Any]] = self.post("/v1/usage/events", {"events": list(events)})["results"]
        return results

    def post(self, path: str, body: Mapping[str, Any], *, once: bool = False) -> dict[str, Any]:
        """The answer to a POST. `once` gives it an idempotency key, which its repetitions share."""
        headers = {**self.headers, "Idempotency-Key": str(uuid4())} if once else self.headers
        try:
            response = self.pool.request("POST", self.url + path, body=encode(body), headers=headers)
        except HTTPError as error:
            raise Unreachable(str(error)) from error
        return _answer(response)


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON, with decimals as strings: exact, whoever reads them."""
    return json.dumps(body, default=str, separators=(",", ":")).encode()


def _answer(response: HTTPResponse | Any) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(response.data, parse_float=Decimal)
    except ValueError as error:
        raise Unreachable(f"{response.status}, and no JSON") from error
    if response.status >= 500 or response.status == 429 or said.get("code") == IN_USE:
        raise Unreachable(f"{response.status}: {said.get('detail', '')}")
    if response.status >= 400:
        raise Refused(response.status, said)
    return said


def _verdict(about: Mapping[str, Any]) -> Verdict:
    amounts = {name: None if about[name] is None else Decimal(about[name]) for name in ("cost", "available")}
    hold = about.get("hold")
    return Verdict(**{**about, **amounts, "hold": hold["id"] if isinstance(hold, Mapping) else hold})
