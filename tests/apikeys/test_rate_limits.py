"""A key's own rate limit: one window for its direct calls and for those that the gate is asked about."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from time_machine import travel

from apikeys.models import ApiKey
from tests import factories

KEYS = "/v1/account/api-keys"


@pytest.fixture
def now() -> Iterator[Any]:
    """A clock that stands still until it is shifted."""
    with travel("2030-05-05T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def key(now: Any, alice: Any, organization: Any) -> Any:
    """Three calls a minute."""
    limit = {"rate_limit": 3, "rate_limit_window_seconds": 60}
    return factories.key(organization, created_by=alice, permissions=["account:read"], **limit)


def codes(client: Any, times: int) -> list[int]:
    return [client.get("/v1/organizations").status_code for _ in range(times)]


def verify(gateway: Any, secret: str, **fields: Any) -> str:
    return str(gateway.post("/v1/keys/verify", {"key": secret, **fields}).json()["code"])


def test_calls_beyond_the_limit_are_429(api: Any, key: Any) -> None:
    assert codes(api(key[1]), 5) == [200, 200, 200, 429, 429]


def test_a_200_says_what_remains(api: Any, key: Any) -> None:
    response = api(key[1]).get("/v1/organizations")
    assert response.headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert response.headers["RateLimit"] == '"key";r=2;t=60'


def test_a_429_says_when_to_come_back(api: Any, key: Any, now: Any) -> None:
    codes(api(key[1]), 3)
    now.shift(timedelta(seconds=20))
    refused = api(key[1]).get("/v1/organizations")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["RateLimit"] == '"key";r=0;t=40'
    assert refused.headers["Retry-After"] == "40"
    now.shift(timedelta(seconds=40))
    assert codes(api(key[1]), 1) == [200]


def test_the_window_slides(api: Any, key: Any, now: Any) -> None:
    """A call stops counting just when it is a minute old."""
    for _ in range(3):
        codes(api(key[1]), 1)
        now.shift(timedelta(seconds=10))
    now.shift(timedelta(seconds=29))
    assert codes(api(key[1]), 1) == [429]
    now.shift(timedelta(seconds=1))
    assert codes(api(key[1]), 2) == [200, 429]


def test_a_key_without_a_limit_has_none(api: Any, alice: Any, organization: Any) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["account:read"])
    responses = [api(secret).get("/v1/organizations") for _ in range(5)]
    assert {response.status_code for response in responses} == {200}
    assert "RateLimit" not in responses[0].headers


def test_one_keys_calls_are_not_anothers(api: Any, key: Any, alice: Any, organization: Any) -> None:
    limit = {"rate_limit": 3, "rate_limit_window_seconds": 60}
    _, other = factories.key(organization, created_by=alice, permissions=["account:read"], **limit)
    codes(api(key[1]), 3)
    assert codes(api(other), 3) == [200, 200, 200]


def test_a_call_that_the_key_may_not_make_is_not_counted(api: Any, key: Any) -> None:
    assert [api(key[1]).get(KEYS).status_code for _ in range(4)] == [403] * 4
    assert codes(api(key[1]), 3) == [200, 200, 200]


def test_the_gate_counts_in_the_same_window(api: Any, gateway: Any, key: Any) -> None:
    codes(api(key[1]), 2)
    assert [verify(gateway, key[1]) for _ in range(2)] == ["VALID", "RATE_LIMITED"]
    assert codes(api(key[1]), 1) == [429]


def test_the_gate_says_suspended_before_it_counts(gateway: Any, organization: Any, key: Any) -> None:
    organization.status = "suspended"
    organization.save()
    assert [verify(gateway, key[1]) for _ in range(4)] == ["ORGANIZATION_SUSPENDED"] * 4
    organization.status = "active"
    organization.save()
    assert verify(gateway, key[1]) == "VALID"


def test_the_gate_says_rate_limited_before_it_looks_at_the_credits(gateway: Any, key: Any) -> None:
    assert [verify(gateway, key[1], meter="sms") for _ in range(4)] == ["INSUFFICIENT_CREDITS"] * 3 + ["RATE_LIMITED"]


def test_a_limit_is_set_changed_and_lifted(alice: Any, api: Any) -> None:
    body = {"name": "Key", "rate_limit": {"limit": 5, "window_seconds": 10}}
    path = f"{KEYS}/{api(alice).post(KEYS, body).json()['key_id']}"
    assert api(alice).get(path).json()["rate_limit"] == {"limit": 5, "window_seconds": 10}
    other = {"limit": 7, "window_seconds": 60}
    assert api(alice).patch(path, {"rate_limit": other}).json()["rate_limit"] == other
    assert api(alice).patch(path, {"rate_limit": None}).json()["rate_limit"] is None


@pytest.mark.parametrize(
    ("bad", "pointer"),
    [
        ({"limit": 0, "window_seconds": 10}, "/rate_limit/limit"),
        ({"limit": 5, "window_seconds": 0}, "/rate_limit/window_seconds"),
        ({"limit": 5, "window_seconds": 86_401}, "/rate_limit/window_seconds"),
        ({"limit": 1_000_001, "window_seconds": 1}, "/rate_limit/limit"),
        ({"limit": 5}, "/rate_limit/window_seconds"),
        (5, "/rate_limit"),
    ],
)
def test_a_limit_that_is_none_is_refused(alice: Any, api: Any, bad: Any, pointer: str) -> None:
    response = api(alice).post(KEYS, {"name": "Key", "rate_limit": bad})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("missing", ["rate_limit", "rate_limit_window_seconds"])
def test_half_a_limit_is_not_kept(key: Any, missing: str) -> None:
    with pytest.raises(IntegrityError, match="api_key_rate_limit_whole"), transaction.atomic():
        ApiKey.objects.filter(pk=key[0].pk).update(**{missing: None})


def test_another_limit_holds_at_once(api: Any, key: Any) -> None:
    assert codes(api(key[1]), 3) == [200] * 3
    ApiKey.objects.filter(pk=key[0].pk).update(rate_limit=4)
    assert codes(api(key[1]), 2) == [200, 429]


def test_another_window_holds_at_once(api: Any, key: Any, now: Any) -> None:
    assert codes(api(key[1]), 3) == [200] * 3
    ApiKey.objects.filter(pk=key[0].pk).update(rate_limit_window_seconds=10)
    now.shift(timedelta(seconds=10))
    assert codes(api(key[1]), 4) == [200, 200, 200, 429]
