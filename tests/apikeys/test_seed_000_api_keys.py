"""`POST /v1/account/api-keys`, from the text of PantheonCloud's reference: each documented field is one assertion."""

import re
from typing import Any

import pytest
from time_machine import travel

from apikeys.models import ApiKey

REQUEST = {
    "name": "Integration API Key",
    "permissions": ["messaging:send", "voice:call", "analytics:read"],
    "expires_at": "2024-01-01T00:00:00Z",
    "description": "API key for production integration",
}


@pytest.fixture
def answer(alice: Any, api: Any) -> Any:
    """The documented request, at the documented moment."""
    with travel("2023-07-15T10:30:00.123456Z", tick=False):
        return api(alice).post("/v1/account/api-keys", REQUEST)


def test_a_key_is_created(answer: Any) -> None:
    assert answer.status_code == 201


def test_the_answer_has_the_documented_fields_in_their_order_and_no_other(answer: Any) -> None:
    assert list(answer.json()) == ["key_id", "api_key", "name", "created_at", "expires_at", "permissions"]


def test_key_id_is_key_and_sixteen_hexadecimal_digits(answer: Any) -> None:
    assert re.fullmatch("key_[0-9a-f]{16}", answer.json()["key_id"])


def test_api_key_is_sk_live_and_at_least_thirty_base62_characters(answer: Any) -> None:
    assert re.fullmatch("sk_live_[0-9A-Za-z]{30,}", answer.json()["api_key"])


def test_name_is_that_of_the_request(answer: Any) -> None:
    assert answer.json()["name"] == "Integration API Key"


def test_created_at_is_in_utc_in_whole_seconds(answer: Any) -> None:
    assert answer.json()["created_at"] == "2023-07-15T10:30:00Z"


def test_expires_at_is_that_of_the_request(answer: Any) -> None:
    assert answer.json()["expires_at"] == "2024-01-01T00:00:00Z"


def test_permissions_keep_their_order(answer: Any) -> None:
    assert answer.json()["permissions"] == ["messaging:send", "voice:call", "analytics:read"]


def test_the_description_is_kept(answer: Any) -> None:
    assert ApiKey.objects.get(public_id=answer.json()["key_id"]).description == "API key for production integration"


@pytest.mark.parametrize("left_out", ["permissions", "expires_at", "description"])
def test_all_but_the_name_may_be_left_out(alice: Any, api: Any, left_out: str) -> None:
    body = {**REQUEST, "expires_at": "2100-01-01T00:00:00Z"}
    del body[left_out]
    assert api(alice).post("/v1/account/api-keys", body).status_code == 201


def test_a_key_without_an_expiry_says_null(alice: Any, api: Any) -> None:
    assert api(alice).post("/v1/account/api-keys", {"name": "Forever"}).json()["expires_at"] is None


def test_without_a_name_there_is_no_key(alice: Any, api: Any) -> None:
    refused = api(alice).post("/v1/account/api-keys", {"permissions": []})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/name")
    assert not ApiKey.objects.exists()


def test_the_secret_works_at_once(alice: Any, api: Any) -> None:
    body = {"name": "Reader", "permissions": ["account:read"]}
    secret = api(alice).post("/v1/account/api-keys", body).json()["api_key"]
    assert api(secret).get("/v1/whoami").status_code == 200
