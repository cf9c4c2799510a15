"""The limit on anonymous requests: so many per minute and address, whichever process counts them."""

from functools import partial
from typing import Any

import pytest
import time_machine

from tests.concurrency import race
from tests.conftest import Api

SIGN_IN = "/v1/auth/token"
NOBODY = {"email": "nobody@example.com", "password": "x"}
NOON = "2026-03-01T12:00:00Z"


@pytest.fixture(autouse=True)
def limit(settings: Any) -> int:
    settings.ANONYMOUS_RATE_LIMIT = 3
    return 3


def statuses(client: Any, times: int, path: str = "/v1/meters", **headers: str) -> list[int]:
    return [client.get(path, **headers).status_code for _ in range(times)]


@time_machine.travel(NOON, tick=False)
def test_what_is_over_the_limit_is_refused_until_a_minute_later(anonymous: Any, db: None) -> None:
    assert statuses(anonymous, 3) == [200] * 3
    refused = anonymous.get("/v1/meters")
    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    assert refused.headers["Retry-After"] == "60"
    assert refused.headers["Content-Type"] == "application/problem+json"


@time_machine.travel(NOON, tick=False)
def test_the_addresses_of_one_ipv6_network_are_one_caller(anonymous: Any, db: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 1
    addresses = [f"2001:db8:1:2::{number}" for number in range(4)]
    answers = [anonymous.get("/v1/meters", x_forwarded_for=address).status_code for address in addresses]
    assert answers == [200, 200, 200, 429]
    assert anonymous.get("/v1/meters", x_forwarded_for="2001:db8:1:3::1").status_code == 200


@time_machine.travel(NOON, tick=False)
def test_each_answer_says_how_many_are_left(anonymous: Any, db: None) -> None:
    responses = [anonymous.get("/v1/meters") for _ in range(4)]
    assert [response.headers["RateLimit"] for response in responses] == [
        f'"address";r={remaining};t=60' for remaining in (2, 1, 0, 0)
    ]
    assert {response.headers["RateLimit-Policy"] for response in responses} == {'"address";q=3;w=60'}


def test_a_minute_later_all_is_forgotten(anonymous: Any, db: None) -> None:
    for minute in (0, 1):
        with time_machine.travel(f"2026-03-01T12:0{minute}:00Z", tick=False):
            assert statuses(anonymous, 4) == [200, 200, 200, 429]


def test_at_the_turn_of_a_minute_the_one_before_still_counts(anonymous: Any, db: None) -> None:
    with time_machine.travel("2026-03-01T12:00:59Z", tick=False):
        assert statuses(anonymous, 3) == [200] * 3
    with time_machine.travel("2026-03-01T12:01:58Z", tick=False):
        assert statuses(anonymous, 1) == [429]
    with time_machine.travel("2026-03-01T12:01:59Z", tick=False):
        assert statuses(anonymous, 4) == [200, 200, 200, 429]


@time_machine.travel(NOON, tick=False)
def test_other_addresses_are_counted_apart(anonymous: Any, db: None) -> None:
    assert statuses(anonymous, 4)[-1] == 429
    anonymous.client.defaults["REMOTE_ADDR"] = "198.51.100.7"
    assert statuses(anonymous, 1) == [200]


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    "path", ["/v1/auth/signup", "/v1/auth/token", "/v1/auth/token/refresh", "/v1/auth/token/revoke"]
)
def test_signing_up_and_in_is_counted_whether_it_succeeds_or_not(anonymous: Any, db: None, path: str) -> None:
    codes = [anonymous.post(path, NOBODY).status_code for _ in range(4)]
    assert 429 not in codes[:3]
    assert codes[3] == 429


@time_machine.travel(NOON, tick=False)
def test_it_is_counted_before_the_body_is_read(anonymous: Any, db: None) -> None:
    assert [anonymous.post(SIGN_IN, "no JSON").status_code for _ in range(4)] == [400, 400, 400, 429]


@time_machine.travel(NOON, tick=False)
def test_who_has_a_credential_is_not_limited_by_address(api: Any, anonymous: Any, alice: Any) -> None:
    assert statuses(anonymous, 4)[-1] == 429
    assert statuses(api(alice), 10, "/v1/whoami") == [200] * 10


@time_machine.travel(NOON, tick=False)
def test_the_published_keys_and_the_health_are_not_limited(anonymous: Any, db: None) -> None:
    for path in ("/.well-known/jwks.json", "/healthz"):
        assert statuses(anonymous, 10, path) == [200] * 10


@time_machine.travel(NOON, tick=False)
def test_without_a_trusted_proxy_nobody_chooses_their_address(anonymous: Any, db: None) -> None:
    seen = [anonymous.get("/v1/meters", x_forwarded_for=f"198.51.100.{n}").status_code for n in range(4)]
    assert seen == [200, 200, 200, 429]


@time_machine.travel(NOON, tick=False)
@pytest.mark.parametrize(
    ("proxies", "forwarded"),
    [(1, "198.51.100.7"), (1, "6.6.6.6, 198.51.100.7"), (2, "6.6.6.6, 198.51.100.7, 10.0.0.1")],
)
def test_a_trusted_proxy_tells_the_address_that_it_saw(
    anonymous: Any, db: None, settings: Any, proxies: int, forwarded: str
) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert statuses(anonymous, 4, x_forwarded_for=forwarded)[-1] == 429
    forged = forwarded.replace("6.6.6.6", "7.7.7.7")
    assert statuses(anonymous, 1, x_forwarded_for=forged) == [429]
    assert statuses(anonymous, 1, x_forwarded_for=forwarded.replace("198.51.100.7", "198.51.100.8")) == [200]


@time_machine.travel(NOON, tick=False)
def test_a_request_that_came_past_the_proxies_counts_for_its_peer(anonymous: Any, db: None, settings: Any) -> None:
    settings.TRUSTED_PROXIES = 2
    assert statuses(anonymous, 3, x_forwarded_for="198.51.100.7") == [200] * 3
    assert statuses(anonymous, 1, x_forwarded_for="203.0.113.1") == [429]


def test_of_many_at_once_exactly_so_many_pass(committed: None, settings: Any) -> None:
    settings.ANONYMOUS_RATE_LIMIT = 10
    with time_machine.travel(NOON, tick=False):
        responses = race([partial(Api().get, "/v1/meters")] * 20)
    assert sorted(response.status_code for response in responses) == [200] * 10 + [429] * 10
