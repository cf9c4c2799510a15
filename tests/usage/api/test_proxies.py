"""Proxies that ask the gate, as far as this machine has them: the configurations of deploy/, as they are."""

import json
import threading
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tollgate_client import Client, Reporter, Spool
from tollgate_client.access_log import FIELDS, Format
from tollgate_client.tail import Tail

from apikeys import keys
from billing.models import Hold
from tests import factories
from tests.config.web.conftest import Server, running, until
from tests.usage.api import proxies
from tests.usage.metering.batches import balance
from usage.models import UsageEvent


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), proxies.Echo)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


@pytest.fixture(scope="module")
def tollgate(second_database: str) -> Iterator[Server]:
    with running(second_database, TRUSTED_PROXIES="0", ALLOWED_HOSTS="tollgate.example.com,127.0.0.1") as server:
        yield server


@pytest.fixture
def proxied(
    request: pytest.FixtureRequest, committed: None, upstream: int, tollgate: Server, tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """A request through the proxy that the test names."""
    if not proxies.installed(request.param):
        pytest.skip(f"there is no {request.param} on this machine")
    platform_key = keys.create_platform("gateway")[1]
    with proxies.started(
        request.param, tmp_path, tollgate=tollgate.port, upstream=upstream, platform_key=platform_key
    ) as proxy:
        yield partial(proxies.send, proxy)


FORGED = (
    *("X-Tollgate-Organization: acct_forged", "X-Tollgate-Platform-Key: forged", "X-Tollgate-Ip: 10.0.0.1"),
    *("X-Tollgate-Quantity: 0", "X-Tollgate-Nonsense: 1", "X-Forwarded-For: 10.0.0.1", "Authorization: Bearer forged"),
)


@pytest.mark.parametrize("proxied", proxies.PROXIES, indirect=True)
def test_a_customers_request_goes_through_or_is_refused(proxied: Callable[..., Any]) -> None:
    organization = factories.organization()
    factories.credit(organization, Decimal("0.0015"))
    key, secret = factories.key(organization, rate_limit=1, rate_limit_window_seconds=60)
    code, echo, _ = proxied(f"X-Api-Key: {secret}", *FORGED, body=b'{"text": "hi"}')
    assert code == 200
    assert (echo["body"], echo["path"]) == ('{"text": "hi"}', "/v1/messages?to=1")
    assert echo["headers"]["X-Tollgate-Organization"] == organization.public_id
    assert echo["headers"]["X-Tollgate-Key-Id"] == key.public_id
    assert "sk_live_" not in json.dumps(echo)

    poor = factories.key(factories.organization())[1]
    for presented, expected, problem in (
        ("sk_live_unknown", 401, "not_found"),
        (poor, 402, "insufficient_credits"),
        (factories.key(organization, allowed_cidrs=["10.0.0.0/8"])[1], 403, "ip_not_allowed"),
        (secret, 429, "rate_limited"),
    ):
        code, document, answer = proxied(f"X-Api-Key: {presented}", *FORGED)
        assert (code, document["status"], document["code"]) == (expected, expected, problem)
        assert b"application/problem+json" in answer
        assert (b"\r\nretry-after: " in answer.lower()) is (expected == 429)


# What their files say about `tollgate-client tail`.
LOG_FIELDS = {
    "caddy": {
        "occurred_at": "ts",
        "endpoint": "request.uri",
        "key_id": "resp_headers.X-Tollgate-Key-Id",
        "hold": "resp_headers.X-Tollgate-Hold",
    },
    "traefik": {
        "occurred_at": "StartUTC",
        "endpoint": "RequestPath",
        "status": "DownstreamStatus",
        "key_id": "request_X-Tollgate-Key-Id",
        "hold": "request_X-Tollgate-Hold",
    },
}


@pytest.mark.parametrize("proxied", proxies.PROXIES, indirect=True)
def test_the_log_becomes_usage_and_captures_what_the_door_held(
    proxied: Callable[..., Any], tollgate: Server, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    organization = factories.organization()
    factories.credit(organization, 1)
    key, secret = factories.key(organization)
    for presented in (secret, "sk_live_unknown", secret):
        proxied(f"X-Api-Key: {presented}")
    assert Hold.objects.of(organization).filter(status="open").count() == 2
    form = Format({"meter": "requests"}, FIELDS | LOG_FIELDS.get(request.node.callspec.params["proxied"], {}))
    tail = Tail(tmp_path / "tollgate.log", Spool(tmp_path / "usage.db"), form)
    client = Client(f"http://127.0.0.1:{tollgate.port}", keys.create_platform("tail")[1])
    until(lambda: tail.catch_up() + tail.spool.waiting() == 2)
    Reporter(client, tail.spool, every=60).close()
    events = UsageEvent.objects.of(organization).values_list("key_id", "endpoint", "failed")
    assert list(events) == [(key.pk, "/v1/messages", False)] * 2
    assert {hold.status for hold in Hold.objects.of(organization)} == {"captured"}
    assert balance(organization) == Decimal("0.998")
