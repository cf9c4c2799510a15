"""The fast path of the gate and of usage events: it responds like the view, byte for byte, but for `Allow`."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from django.db import transaction
from django.utils import timezone
from time_machine import travel

from accounts.models import Organization
from apikeys import keys
from apikeys.models import ApiKey
from tests import factories
from tests.conftest import Api
from tests.usage.metering.batches import event
from usage.api import fast_path

VERIFY, BATCH, EVENTS = "/v1/keys/verify", "/v1/keys/verify/batch", "/v1/usage/events"
JSON = "application/json"
HOLD_ID = re.compile(rb"hold_[0-9a-f]{32}")  # that of what is undone is not given again
ITS_OWN = {"X-Request-Id": "same"}

Secrets = dict[str, str]
Ask = Callable[..., tuple[Any, Any]]


@pytest.fixture(autouse=True)
def _one_moment(db: None) -> Iterator[None]:
    with travel(timezone.now(), tick=False):
        yield


@pytest.fixture(scope="module")
def funded(module_transaction: None) -> Organization:
    organization = factories.organization()
    factories.credit(organization, 100)
    return organization


@pytest.fixture(scope="module")
def gateway(module_transaction: None) -> Api:
    return Api(factories.platform_key())


@pytest.fixture(scope="module")
def made(funded: Organization) -> dict[str, tuple[ApiKey, str]]:
    """A key of each kind, and its secret."""
    limit: dict[str, Any] = {"rate_limit": 2, "rate_limit_window_seconds": 60}
    made = {
        "plain": factories.key(funded, permissions=["messaging:send"]),
        "limited": factories.key(funded, **limit),
        "capped": factories.key(funded),
        "both": factories.key(funded, **limit),
        "test": factories.key(funded, environment="test"),
        "revoked": factories.key(funded),
        "networked": factories.key(funded, allowed_cidrs=["10.0.0.0/8"]),
        "expiring": factories.key(funded),
        "unused": factories.key(funded),
    }
    keys.revoke(made["revoked"][0])
    capped = [made[kind][0].pk for kind in ("capped", "both")]
    ApiKey.objects.filter(pk__in=capped).update(monthly_budget=Decimal("0.05"))
    return made


@pytest.fixture
def secrets(made: dict[str, tuple[ApiKey, str]], db: None) -> Secrets:
    """The use of all keys was noted this minute, but for one."""
    soon = timezone.now() + timedelta(microseconds=5)
    ApiKey.objects.filter(pk=made["expiring"][0].pk).update(expires_at=soon)
    ApiKey.objects.exclude(pk=made["unused"][0].pk).update(last_used_at=timezone.now())
    return {kind: secret for kind, (_, secret) in made.items()}


@pytest.fixture
def ask(gateway: Api, secrets: Secrets) -> Ask:
    """The responses of the fast path and of the view. What each of them does is undone."""
    ApiKey.objects.platform().update(last_used_at=timezone.now())

    def both(path: str, body: Any, content_type: str = JSON, **headers: str) -> tuple[Any, Any]:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        answers = []
        for way in (nullcontext(), patch.object(fast_path, "accept", side_effect=fast_path.UseView)):
            with way, transaction.atomic():
                all_headers = {**gateway.headers, **ITS_OWN, **headers}
                answers.append(gateway.client.post(path, content, content_type, headers=all_headers))
                transaction.set_rollback(True)
        return answers[0], answers[1]

    return both


def assert_alike(fast: Any, by_view: Any) -> None:
    """Byte for byte, but for DRF's `Allow`, which is there unless the request was refused before any view."""
    assert fast.status_code == by_view.status_code
    assert HOLD_ID.sub(b"", fast.content) == HOLD_ID.sub(b"", by_view.content)
    allow = {"Allow": "POST, OPTIONS"}
    refused_before = by_view.status_code == 413
    assert refused_before or by_view.headers["Allow"] == allow["Allow"]
    assert dict(fast.headers) | allow == dict(by_view.headers) | allow


def is_fast(answer: Any) -> bool:
    return "Allow" not in answer.headers


def named(body: Any, secrets: Secrets) -> Any:
    """The body, with a secret for each kind of key that is named in it."""
    if isinstance(body, dict):
        return {**body, "key": secrets.get(body["key"], body["key"])} if "key" in body else body
    return [named(item, secrets) for item in body]


SMS: dict[str, Any] = {"key": "plain", "meter": "sms"}
HOLD: dict[str, Any] = {**SMS, "quantity": "2.5", "hold_seconds": 60}
CALLS: list[dict[str, Any]] = [
    {"key": "plain"},
    {"key": "nobody"},
    {"key": "plain", "more": {"a": [1.5]}},
    SMS,
    HOLD,
    {**SMS, "quantity": 0, "hold_seconds": 60},
    {**SMS, "quantity": 10_001},
    {**HOLD, "quantity": 10_001},
    {**SMS, "quantity": 0.000000001, "permission": "messaging:send"},
    {"key": "plain", "permission": "voice:call"},
    {"key": "plain", "permission": "é", "ip": "::ffff:10.0.0.1"},
    *({**call, "key": key} for call in (SMS, HOLD) for key in ("limited", "capped", "both", "test", "unused")),
    {**HOLD, "key": "capped", "quantity": 6},
    {"key": "revoked"},
    {"key": "networked"},
    {"key": "networked", "ip": "10.1.1.1"},
    {"key": "expiring"},
]


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_verdict(ask: Ask, secrets: Secrets, call: dict[str, Any]) -> None:
    fast, by_view = ask(VERIFY, named(call, secrets))
    assert fast.status_code == 200
    assert is_fast(fast)
    assert_alike(fast, by_view)


@pytest.mark.parametrize(
    "calls",
    [CALLS, [SMS] * 3, [HOLD] * 5, [HOLD, SMS], [{**HOLD, "key": "both"}] * 4, [{**SMS, "key": "limited"}] * 3],
    ids=["all", "plain", "holding", "one holding", "refused in turn", "limited"],
)
def test_verdicts(ask: Ask, secrets: Secrets, calls: Any) -> None:
    fast, by_view = ask(BATCH, {"calls": named(calls, secrets)})
    assert fast.status_code == 200
    assert is_fast(fast)
    assert_alike(fast, by_view)


def test_a_verdict_when_the_use_of_the_platforms_key_is_to_be_noted(ask: Ask, secrets: Secrets) -> None:
    ApiKey.objects.platform().update(last_used_at=timezone.now() - timedelta(minutes=2))
    fast, by_view = ask(VERIFY, named(HOLD, secrets))
    assert is_fast(fast)
    assert_alike(fast, by_view)


REFUSED: list[Any] = [
    *(b"", b"{", b"[]", b"null", b'{"key":NaN}', b"\xff", b'{"key":"\xff"}', b"[" * 100_000, b'{"a":' * 100_000),
    *(b'{"key":"x","quantity":1e99999999999999999999}', b'{"key":"x","quantity":' + b"9" * 5000 + b"}"),
    b'{"key":"x","more":"' + b"x" * (1 << 20) + b'"}',
    *({"key": None}, {"quantity": []}, {**SMS, "meter": "none"}, {**SMS, "ip": "x"}, {**SMS, "hold_seconds": 0}),
    *({"calls": []}, {"calls": [1]}, {"calls": [SMS, {**HOLD, "meter": "none"}]}, {"calls": [SMS] * 101}),
]


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: str(body)[:60])
@pytest.mark.parametrize("path", [VERIFY, BATCH])
def test_what_is_refused_is_refused_by_the_view(ask: Ask, path: str, body: Any) -> None:
    fast, by_view = ask(path, body)
    assert fast.status_code >= 400
    assert_alike(fast, by_view)


@pytest.mark.parametrize(
    "content_type",
    [
        *("application/json; charset=utf-8", "application/json;charset=x", "APPLICATION/JSON", " application/json"),
        *("text/plain", "", "application/cloudevents+json", "application/json, text/plain", "multipart/form-data"),
    ],
)
@pytest.mark.parametrize("path", [VERIFY, EVENTS])
def test_whatever_the_type_is_called(ask: Ask, secrets: Secrets, path: str, content_type: str) -> None:
    assert_alike(*ask(path, json.dumps({"key": secrets["plain"]}).encode(), content_type))


@pytest.mark.parametrize("credential", ["", "Bearer", "Bearer sk_live_x", "Bearer sk_live_é", "bearer sk_x", "Basic x"])
@pytest.mark.parametrize("path", [VERIFY, EVENTS])
def test_whoever_asks(ask: Ask, path: str, credential: str) -> None:
    fast, by_view = ask(path, {"key": "x"}, authorization=credential)
    assert fast.status_code == 401
    assert_alike(fast, by_view)


PLAIN: dict[str, Any] = {"meter": "sms", "quantity": "2.5"}
EVERY: list[dict[str, Any]] = [
    {},
    PLAIN,
    {**PLAIN, "id": "é"},
    {**PLAIN, "id": "same"},
    {**PLAIN, "id": "same"},
    {**PLAIN, "status": 500, "endpoint": "/é", "occurred_at": "2020-12-31T23:59:59.999999+05:45"},
    {**PLAIN, "properties": {"a": [1, 1.5, "\u2028"], "b": {}}},
    {**PLAIN, "hold": "hold_" + "a" * 32},
    {**PLAIN, "quantity": "1e99"},
    {"id": "\ud800"},
    {"id": "x" * 101},
    {"meter": "none"},
    {"status": 99},
    {"occurred_at": "2931-01-01T00:00:00Z"},
]


@pytest.fixture
def events(funded: Organization) -> list[Any]:
    return [event(funded, **fields) for fields in EVERY]


def test_an_event(ask: Ask, events: list[Any]) -> None:
    for body in events:
        fast, by_view = ask(EVENTS, body)
        assert fast.status_code == 200
        assert is_fast(fast)
        assert_alike(fast, by_view)


def test_a_batch_of_events(ask: Ask, events: list[Any]) -> None:
    fast, by_view = ask(EVENTS, {"events": [*events, 1, None, [], {}]})
    assert (fast.json()["accepted"], fast.json()["duplicate"]) == (6, 1)
    assert is_fast(fast)
    assert_alike(fast, by_view)


@pytest.mark.parametrize(
    "body",
    [
        *(b"{", b"[]", b"null", b'{"quantity":NaN}', b"\xff", b"[" * 100_000, b'{"a":' * 100_000),
        b" " * ((4 << 20) + 1),
        *({"events": []}, {"events": 1}, {"events": [{}] * 1001}),
    ],
    ids=lambda body: str(body)[:60],
)
def test_what_are_no_events_is_refused_by_the_view(ask: Ask, body: Any) -> None:
    fast, by_view = ask(EVENTS, body)
    assert fast.status_code >= 400
    assert_alike(fast, by_view)
