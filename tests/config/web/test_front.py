"""The front of the web server: byte for byte what Django answers, and Django itself for all that isn't plain."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from functools import cache
from itertools import cycle
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import DEFAULT_DB_ALIAS, OperationalError, close_old_connections, connections, transaction
from django.test import override_settings
from django.utils import timezone
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from accounts.lib import distribution
from accounts.models import Organization
from apikeys.models import ApiKey
from config.metrics import DURATION, REQUESTS, _duration, _requests
from config.web.bridge import _call
from config.web.front import Front
from config.web.lines import Line
from config.web.request import Answer, Request
from tests.conftest import Api
from tests.usage.api import test_fast_path
from tests.usage.api.test_authorize import AUTHORIZE, refusals
from tests.usage.api.test_fast_path import BATCH, CALLS, EVENTS, EVERY, HOLD, REFUSED, SMS, VERIFY, Secrets, named
from tests.usage.metering.batches import event

HTTPS: dict[str, Any] = {
    "SECURE_SSL_REDIRECT": True,
    "SECURE_HSTS_SECONDS": 60,
    "SECURE_PROXY_SSL_HEADER": ("HTTP_X_FORWARDED_PROTO", "https"),
}
COUNTS = ["tollgate_http_requests_total", "tollgate_http_request_seconds_count"]
NEW_ID = re.compile(r"hold_[0-9a-f]{32}")  # that of what is undone is not given again
_one_moment, secrets = test_fast_path._one_moment, test_fast_path.secrets
funded, gateway, made = test_fast_path.funded, test_fast_path.gateway, test_fast_path.made

Both = Callable[..., tuple[Answer | None, Answer]]
on_loop: list[bool] = []  # whether the event loop could answer too, of each request


def environ(method: str, target: str, headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """What the web server makes of a request."""
    path, _, query = target.partition("?")
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    if body:
        headers = {"content-type": "application/json", "content-length": str(len(body)), **headers}
    scope = {"method": method, "raw_path": quote(path).encode(), "query_string": query.encode(), "scheme": "http"}
    scope |= {"http_version": "1.1", "client": ("127.0.0.1", 1), "server": ("testserver", 80)}
    scope["headers"] = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    return Request(scope).environ(body)


@pytest.fixture
def _one_connection(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What ends connections before and after a request would end the test's transaction. Django's client does this."""
    monkeypatch.setattr("config.web.front.close_old_connections", lambda: None)
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def both(_one_connection: None, gateway: Api) -> Both:
    """The answers of the front and of Django alone, counted alike. What each of them does is undone.

    The event loop's answer has to be the same, if it gives one.
    """
    on_loop.clear()
    REQUESTS.clear()  # what other tests counted takes long to read
    DURATION.clear()
    _requests.cache_clear()
    _duration.cache_clear()
    ApiKey.objects.platform().update(last_used_at=timezone.now())

    @cache  # made when the first is asked, with the settings of the test
    def servers() -> tuple[Front, WSGIHandler]:
        return Front(), WSGIHandler()

    def ask(method: str, target: str, body: Any = b"", **headers: str) -> tuple[Answer | None, Answer]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"host": "testserver", "x_request_id": "mine", **gateway.headers, **headers}
        front, wsgi = servers()
        start = counted()
        by_loop = on_the_loop(method, target, content, headers)
        assert (counted() - start).total() == (2 if by_loop else 0)
        before = counted()
        with transaction.atomic():
            by_front = front(environ(method, target, headers, content))
            transaction.set_rollback(True)
        between = counted()
        with transaction.atomic():
            django = _call(wsgi, environ(method, target, headers, content))
            transaction.set_rollback(True)
        assert between - before == (counted() - between if by_front else Counter())
        assert by_loop is None or text(by_loop) == text(django)
        on_loop.append(by_loop is not None)
        return by_front, django

    return ask


def on_the_loop(method: str, target: str, content: bytes, headers: dict[str, str]) -> Answer | None:
    """The answer that the event loop gives by one statement, on the test's own connection. It is undone."""

    async def ask() -> Answer | None:
        front = Front(lines=1)
        front.lines.open.append(Line(front.lines, own))
        until = asyncio.get_running_loop().time() + 60
        try:
            return await front.at_once(environ(method, target, headers, content), until)
        finally:
            own.connection.pgconn.exit_pipeline_mode()

    distribution.is_distributed()  # is known before there is a connection
    own = connections[DEFAULT_DB_ALIAS]
    with transaction.atomic():
        own.cursor().execute("SELECT")  # begins the transaction
        answer = asyncio.run(ask())
        transaction.set_rollback(True)
    return answer


def text(answer: Answer | None) -> str:
    """All of it, headers in their order."""
    assert answer is not None
    return NEW_ID.sub("hold_", "\n".join([str(answer.status), *map(str, answer.headers), answer.body.decode()]))


def counted() -> Counter[Any]:
    """The requests that were counted, by route, method and status."""
    families = REGISTRY.restricted_registry(COUNTS).collect()
    samples = (sample for family in families for sample in family.samples)
    return Counter({(s.name, *sorted(s.labels.items())): int(s.value) for s in samples})


@pytest.mark.parametrize("path", [VERIFY, BATCH])
def test_verdicts(both: Both, secrets: Secrets, path: str) -> None:
    for call in CALLS:
        body = named(call, secrets)
        front, django = both("POST", path, {"calls": [body]} if path == BATCH else body)
        assert django.status == 200
        assert text(front) == text(django)
    assert (sum(on_loop) > len(on_loop) / 2) == (path == VERIFY)  # a batch is left to the threads


def test_events(both: Both, funded: Organization) -> None:
    for fields in EVERY:
        front, django = both("POST", EVENTS, event(funded, **fields))
        assert django.status == 200
        assert text(front) == text(django)


def test_what_a_proxy_asks(both: Both, secrets: Secrets, funded: Organization) -> None:
    questions = [
        *((secrets[kind], {}) for kind in secrets),
        *((secret, headers) for _, secret, headers in refusals(funded).values()),
        (secrets["plain"], {"meter": "sms", "quantity": "3", "hold_seconds": "60"}),
        ("", {}),
    ]
    variants = [{"x_tollgate_refuse_with": "403"}, {"x_forwarded_for": "203.0.113.9", "accept": "text/html"}]
    statuses = Counter[int]()
    for (secret, headers), variant in zip(questions, cycle(variants), strict=False):
        parameters = {f"x_tollgate_{name}": value for name, value in headers.items()} | {"x_api_key": secret}
        for more in ({}, variant):
            front, django = both("GET", AUTHORIZE, **parameters, **more)
            assert text(front) == text(django)
            statuses[django.status] += 1
    assert statuses.keys() == {200, 401, 402, 403}
    assert sum(on_loop) > len(on_loop) / 2


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"])
def test_a_proxy_asks_by_the_customers_method_and_path(both: Both, secrets: Secrets, method: str) -> None:
    for path in ("", "/v1/messages/é", "?a=1", "/%2F?token=x"):
        front, django = both(method, AUTHORIZE + path, x_api_key=secrets["plain"])
        assert django.status == 200
        assert text(front) == text(django)


@override_settings(**HTTPS)
def test_behind_a_proxy_with_tls(both: Both, secrets: Secrets) -> None:
    front, django = both("POST", VERIFY, named(SMS, secrets), x_forwarded_proto="https")
    assert (text(front), django.status) == (text(django), 200)
    assert "Strict-Transport-Security" in text(front)
    assert both("POST", VERIFY, named(SMS, secrets)) == (None, both("POST", VERIFY, named(SMS, secrets))[1])
    assert both("POST", VERIFY, named(SMS, secrets))[1].status == 301


LEFT: list[tuple[str, str, dict[str, str], int]] = [
    ("POST", VERIFY, {"host": "elsewhere"}, 400),
    ("POST", VERIFY, {"host": ""}, 400),
    ("POST", VERIFY, {"cookie": "sessionid=x"}, 200),
    ("POST", VERIFY, {"cookie": "csrftoken=x"}, 200),
    ("POST", VERIFY, {"authorization": "Bearer sk_live_x"}, 401),
    ("POST", VERIFY, {"authorization": ""}, 401),
    ("POST", VERIFY, {"idempotency_key": "1"}, 200),
    ("POST", VERIFY, {"content_type": "text/plain"}, 415),
    ("PUT", VERIFY, {}, 405),
    ("POST", f"{VERIFY}/", {}, 404),
    ("GET", AUTHORIZE, {"x_tollgate_meter": "fax"}, 400),
    ("GET", AUTHORIZE, {"x_tollgate_permision": "a:b"}, 400),
    ("GET", AUTHORIZE, {"authorization": "Bearer sk_live_x"}, 401),
    ("GET", "/v1/whoami", {}, 200),
]


@pytest.mark.parametrize(("method", "target", "headers", "status"), LEFT)
def test_what_is_not_plain_is_left_to_django(
    both: Both, secrets: Secrets, method: str, target: str, headers: dict[str, str], status: int
) -> None:
    body = b"" if method == "GET" else json.dumps(named(SMS, secrets)).encode()
    front, django = both(method, target, body, **{"x_api_key": secrets["plain"], **headers})
    assert (front, django.status) == (None, status)


def test_bodies_that_are_refused_are_left_to_django(both: Both) -> None:
    for body in REFUSED:
        front, django = both("POST", VERIFY, body)
        assert front is None
        assert django.status >= 400
    front, django = both("POST", AUTHORIZE, b"x" * ((1 << 20) + 1))
    assert (front, django.status) == (None, 413)


@pytest.mark.parametrize(("error", "status"), [(OperationalError("gone"), 503), (ZeroDivisionError("ours"), 500)])
def test_a_fault_is_answered_and_logged_as_django_does(
    both: Both, secrets: Secrets, error: Exception, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    for path, body, headers in ((VERIFY, named(HOLD, secrets), {}), (AUTHORIZE, b"", {"x_api_key": "sk_live_x"})):
        caplog.clear()
        patches = [patch(f"usage.gate.query.{name}", side_effect=error) for name in ("ask", "first_step")]
        with patches[0], patches[1], capture_logs() as lines:
            front, django = both("POST", path, body, **headers)
        assert (text(front), django.status) == (text(django), status)
        lines += [{"event": record.getMessage(), "level": record.levelname} for record in caplog.records]
        assert on_loop[-1]
        assert lines
        assert all(lines.count(line) == 3 for line in lines)
