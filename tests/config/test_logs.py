"""No log line holds a secret, whatever fails and wherever the secret was in the request."""

import json
import logging
import logging.config
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from io import StringIO
from typing import Any

import pytest
import structlog
from django.http import HttpRequest
from django.test import Client
from django.urls import Resolver404, URLPattern, URLResolver, get_resolver, resolve

from config import logs
from config.redaction import redact

MARK = "Mxq7Zt"  # in every secret; nothing else has it
SECRETS = {"key": f"sk_live_{MARK}00000000000000000000000000"}
BODY = {
    "password": f'correct {MARK}\'s "battery" {MARK}',
    "key": SECRETS["key"],
    "refresh": f"rt_{MARK}000000000000000000",
    "api_key": SECRETS["key"],
    "gateway_token": f"pm_{MARK}",
    "code": MARK,
    "events": [{"id": "e-1", "properties": {"secret": MARK}}],
}


class Fail:
    """Middleware that fails before every view, with all of the request in its variables and in its message."""

    def __init__(self, get_response: Any) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> Any:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> None:
        body, headers, meta = request.body, dict(request.headers), dict(request.META)
        inner = json.dumps({"was": body.decode()})
        raise LookupError(f"{request.get_full_path()} {headers} {meta} {body!r} {inner} {dict(request.COOKIES)}")


@pytest.fixture
def lines(settings: Any) -> Iterator[StringIO]:
    """The lines that are written with the configuration of production."""
    root, written = logging.getLogger(), StringIO()
    handlers, level = root.handlers[:], root.level
    configuration = logs.configure(production=True)
    configuration["handlers"]["stderr"]["stream"] = written
    logging.config.dictConfig(configuration)
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.Fail"]
    yield written
    root.handlers, root.level = handlers, level
    logging.config.dictConfig(settings.LOGGING)


SAMPLES = (
    "1",
    "acct_0000000000000000",
    "key_0000000000000000",
    "MA000000000000000000",
    "a-b",
    "2026-10",
    "00000000-0000-0000-0000-000000000000",
)


def paths() -> list[str]:
    """A path for every route there is: the API's, pages and the admin."""
    return [resolvable(route) for route in walk(get_resolver().url_patterns)]


def walk(patterns: list[URLPattern | URLResolver], prefix: str = "") -> Iterator[str]:
    for pattern in patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from walk(pattern.url_patterns, route)
        else:
            yield route


def resolvable(route: str) -> str:
    """The route with a sample in place of each part that varies."""
    typed = route.replace("<acct:organization>", SAMPLES[1]).replace("<key:key>", SAMPLES[2])
    plain = re.sub(r"\(\?P<\w+>(?:[^()]|\([^()]*\))*\)|<[^>]+>", "\0", typed)
    plain = re.sub(r"[\^$\\]|/\*", lambda match: "/" if match[0] == "/*" else "", plain)
    for sample in SAMPLES:
        path = "/" + plain.replace("\0", sample)
        with suppress(Resolver404):
            resolve(path)
            return path
    raise AssertionError(f"no sample fits {route}")


def fail_everywhere() -> list[int]:
    """The statuses of requests to every route, each with a marked secret in its query, headers, cookies and body."""
    client = Client(raise_request_exception=False)
    headers = {
        "authorization": f"Bearer {SECRETS['key']}",
        "proxy-authorization": f"Basic {MARK}",
        "idempotency-key": MARK,
        "x-csrftoken": MARK,
        "cookie": f"sessionid={MARK}; csrftoken={MARK}",
    }
    statuses = []
    for path in paths():
        for body, content_type in ((json.dumps(BODY), "application/json"), (FORM, URLENCODED)):
            query = f"?token={MARK}&password={MARK}"
            answer = client.post(path + query, body, content_type=content_type, headers=headers)
            if answer.status_code == 400:  # the route has no such parameters
                answer = client.post(path, body, content_type=content_type, headers=headers)
            statuses.append(answer.status_code)
    return statuses


def test_a_fault_on_any_route_writes_no_secret(db: None, lines: StringIO) -> None:
    statuses = fail_everywhere()
    assert len(statuses) > 400
    assert set(statuses) == {500}
    written = lines.getvalue()
    assert written.count("LookupError") >= len(statuses)
    assert [line[max(0, line.index(MARK) - 60) :][:90] for line in written.splitlines() if MARK in line] == []


def test_without_redaction_it_would(db: None, lines: StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(logs, "redact", lambda text: text)
    Client(raise_request_exception=False).post("/v1/account", json.dumps(BODY), content_type="application/json")
    assert MARK in lines.getvalue()


def test_a_traceback_has_no_local_variables(lines: StringIO) -> None:
    def fail(local: str) -> None:
        raise LookupError("nothing in here")

    try:
        fail(MARK)
    except LookupError:
        structlog.get_logger().exception("failed")
        logging.getLogger("elsewhere").exception("failed")
    assert lines.getvalue().count("LookupError") == 2
    assert MARK not in lines.getvalue()


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("postgres://tollgate:hush@db/tollgate", "postgres://tollgate:[redacted]@db/tollgate"),
        ("Authorization: Bearer abc.def", "Authorization: [redacted] [redacted]"),
        ("GET /accounts/password/reset/key/3-abc123/", "GET /accounts/password/reset/key/[redacted]/"),
        ("{'password': 'it is', 'name': 'Ann'}", "{'password': [redacted], 'name': 'Ann'}"),
        ("?token=abc&limit=5", "?token=[redacted]&limit=5"),
        ("rt_0123456789", "rt_[redacted]"),
        ("X-Api-Key: abc", "X-Api-Key: [redacted]"),
        ('{"api-key": "a b", "n": 1}', '{"api-key": [redacted], "n": 1}'),
        ("redis://:pa/ss@h:6379/0", "redis://:[redacted]@h:6379/0"),
        ("postgres://u:pa@ss@h/db", "postgres://u:[redacted]@h/db"),
        (f"postgres://u:{'p' * 1000}@h/db", "postgres://u:[redacted]@h/db"),
        ("my_gateway-token_2=abc", "my_gateway-token_2=[redacted]"),
    ],
)
def test_what_looks_like_a_secret_is_taken_out(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@pytest.mark.parametrize(
    "text",
    [
        "key_id=key_0123456789abcdef",
        "outage path=/v1/keys/verify reason='Nothing listens at the address in DATABASE_URL.'",
        '{"event": "not ready", "logger": "config.health", "level": "error"}',
        "https://example.com:8000/v1/account",
    ],
)
def test_what_does_not_stays(text: str) -> None:
    assert redact(text) == text


HOSTILE = ("token", "-token-", "a-", "-eyJ", "eyJa.", "://:", "://:@", "token=\\", "token ", 'token="\\"', "Bearer ")


@pytest.mark.parametrize("unit", HOSTILE)
def test_no_text_takes_more_time_than_its_length_explains(unit: str) -> None:
    """8 times as much text takes about 8 times as long. If the work were quadratic, it would take 64 times as long."""

    def seconds(size: int) -> float:
        text, times = (unit * size)[:size], []
        for _ in range(3):
            began = time.thread_time()
            redact(text)
            times.append(time.thread_time() - began)
        return min(times)

    assert seconds(60_000) < 30 * max(seconds(7500), 0.0005)


def test_quotes_that_never_close_are_looked_for_a_few_times_only() -> None:
    """Each has a number of backslashes of its own, so none closes another."""
    text = "".join("token=" + "\\" * count + "'" for count in range(340, 0, -1))
    began = time.thread_time()
    redact(text)
    unclosed = time.thread_time() - began
    began = time.thread_time()
    redact("token='" + "a" * len(text))
    assert unclosed < 100 * max(time.thread_time() - began, 0.002)


def test_a_wrong_host_is_not_logged(lines: StringIO, client: Client) -> None:
    assert client.get("/v1/whoami", headers={"host": "token" * 3000}).status_code == 400
    assert lines.getvalue() == ""


URLENCODED = "application/x-www-form-urlencoded"
FORM = f"password={MARK}&password1={MARK}&csrfmiddlewaretoken={MARK}&login=x%40example.com"
