"""A rotation keeps the key and gives it a new secret; the one before works on for a while, which is never put off."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from time_machine import travel

from apikeys import keys
from apikeys.models import ApiKey, ApiKeySecret
from tests import factories, leaks

KEYS = "/v1/account/api-keys"


@pytest.fixture
def now() -> Iterator[Any]:
    """A clock that stands still until it is shifted."""
    with travel("2030-05-05T12:00:00Z", tick=False) as traveller:
        yield traveller


@pytest.fixture
def key(now: Any, alice: Any, organization: Any) -> Any:
    return factories.key(organization, created_by=alice, permissions=["account:read"])


def rotate(client: Any, key: ApiKey, **body: Any) -> Any:
    return client.post(f"{KEYS}/{key.public_id}/rotate", body)


def works(api: Any, secret: str) -> bool:
    return bool(api(secret).get("/v1/whoami").status_code == 200)


def test_the_id_stays_and_the_secret_is_new(alice: Any, api: Any, key: Any) -> None:
    answer = rotate(api(alice), key[0])
    assert (answer.status_code, answer.json()["key_id"]) == (200, key[0].public_id)
    assert answer.json()["api_key"] != key[1]
    assert works(api, answer.json()["api_key"])


def test_the_old_secret_works_for_a_day_unless_said_otherwise(alice: Any, api: Any, key: Any, now: Any) -> None:
    rotate(api(alice), key[0])
    now.shift(timedelta(seconds=86_399))
    assert works(api, key[1])
    now.shift(timedelta(seconds=1))
    assert not works(api, key[1])


def test_with_no_overlap_the_old_secret_is_refused_at_once(alice: Any, api: Any, key: Any) -> None:
    rotate(api(alice), key[0], overlap_seconds=0)
    assert not works(api, key[1])


def test_the_gate_honours_the_overlap(alice: Any, api: Any, gateway: Any, key: Any, now: Any) -> None:
    rotate(api(alice), key[0], overlap_seconds=60)
    assert gateway.post("/v1/keys/verify", {"key": key[1]}).json()["code"] == "VALID"
    now.shift(timedelta(seconds=60))
    assert gateway.post("/v1/keys/verify", {"key": key[1]}).json()["code"] == "NOT_FOUND"


def test_the_overlap_does_not_outlive_the_key(alice: Any, api: Any, key: Any, now: Any) -> None:
    ApiKey.objects.update(expires_at=timezone.now() + timedelta(seconds=30))
    rotate(api(alice), key[0])
    now.shift(timedelta(seconds=30))
    assert not works(api, key[1])


def test_an_expiry_that_a_secret_has_is_never_put_off(key: Any) -> None:
    soon = timezone.now() + timedelta(seconds=10)
    ApiKeySecret.objects.update(expires_at=soon)
    keys.rotate(key[0], timedelta(days=7))
    assert ApiKeySecret.objects.order_by("created_at", "pk").values_list("expires_at", flat=True)[0] == soon


def test_a_third_secret_is_refused_while_two_live(alice: Any, api: Any, key: Any) -> None:
    second = rotate(api(alice), key[0]).json()["api_key"]
    answer = rotate(api(alice), key[0], overlap_seconds=0)
    assert (answer.status_code, answer.json()["code"]) == (409, "rotation_in_progress")
    assert works(api, key[1])
    assert works(api, second)


def test_once_the_overlap_is_over_the_key_is_rotated_again(alice: Any, api: Any, key: Any, now: Any) -> None:
    rotate(api(alice), key[0], overlap_seconds=60)
    now.shift(timedelta(seconds=60))
    assert rotate(api(alice), key[0]).status_code == 200


@pytest.mark.parametrize("column", ["revoked_at", "expires_at"])
def test_a_dead_key_is_not_rotated(alice: Any, api: Any, key: Any, column: str) -> None:
    ApiKey.objects.update(**{column: timezone.now()})
    assert rotate(api(alice), key[0]).json()["code"] == "key_not_usable"
    assert ApiKeySecret.objects.count() == 1


@pytest.mark.parametrize("seconds", [-1, 604_801, "soon", None, 1.5])
def test_an_overlap_that_is_none_is_refused(alice: Any, api: Any, key: Any, seconds: Any) -> None:
    answer = rotate(api(alice), key[0], overlap_seconds=seconds)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/overlap_seconds")
    assert ApiKeySecret.objects.count() == 1


@pytest.mark.parametrize("seconds", [0, 604_800])
def test_the_ends_of_the_range_are_taken(alice: Any, api: Any, key: Any, seconds: int) -> None:
    assert rotate(api(alice), key[0], overlap_seconds=seconds).status_code == 200


def test_a_retry_gets_the_first_answer_without_the_secret(alice: Any, api: Any, key: Any) -> None:
    options = {"idempotency_key": "rotate-1"}
    path = f"{KEYS}/{key[0].public_id}/rotate"
    first = api(alice).post(path, {}, **options)
    again = api(alice).post(path, {}, **options)
    assert again.json() == {**first.json(), "api_key": None}
    assert again.headers["Idempotent-Replayed"] == "true"
    assert ApiKeySecret.objects.count() == 2


def test_the_new_secret_is_nowhere_in_the_database(alice: Any, api: Any, key: Any) -> None:
    answer = api(alice).post(f"{KEYS}/{key[0].public_id}/rotate", {}, idempotency_key="rotate-1")
    assert leaks.tables_with(answer.json()["api_key"]) == []


def test_nobody_is_handed_the_secret_of_a_key_that_may_do_more(organization: Any, alice: Any, api: Any) -> None:
    dave = factories.user("dave")
    factories.join(dave, organization, "developer")
    dave.current_organization = organization
    owners, secret = factories.key(organization, created_by=alice, permissions=["billing:write"])
    answer = rotate(api(dave), owners)
    assert (answer.status_code, answer.json()["required_scopes"]) == (403, ["billing:write"])
    assert works(api, secret)
    assert ApiKeySecret.objects.filter(key=owners).count() == 1


def test_a_viewer_rotates_nothing(bob: Any, api: Any, key: Any) -> None:
    assert rotate(api(bob), key[0]).status_code == 403
    assert ApiKeySecret.objects.count() == 1


def test_a_stranger_finds_no_key_to_rotate(charlie: Any, api: Any, key: Any) -> None:
    assert rotate(api(charlie), key[0]).status_code == 404
    assert ApiKeySecret.objects.count() == 1
