"""Test keys: they read, they make and change test keys, and they leave everything that is live alone."""

from typing import Any

import pytest

from accounts import scopes
from apikeys.models import ApiKey
from tests import factories

KEYS = "/v1/account/api-keys"
REFUSED = (403, "live_key_required")
CHANGES: list[tuple[str, str, Any]] = [
    ("patch", "", {"name": "Renamed"}),
    ("patch", "", {"enabled": False}),
    ("delete", "", None),
    ("post", "/rotate", {"overlap_seconds": 0}),
]


@pytest.fixture
def client(api: Any, alice: Any, organization: Any) -> Any:
    """A test key of the owner's that was given everything."""
    options: dict[str, Any] = {"permissions": sorted(scopes.BY_ROLE["owner"]), "environment": "test"}
    return api(factories.key(organization, created_by=alice, **options)[1])


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_live_key_is_not_changed(
    client: Any, api: Any, alice: Any, organization: Any, method: str, path: str, body: Any
) -> None:
    key, secret = factories.key(organization, created_by=alice, permissions=["keys:read"])
    before = ApiKey.objects.filter(pk=key.pk).values().get()

    answer = getattr(client, method)(f"{KEYS}/{key.public_id}{path}", body)

    assert (answer.status_code, answer.json()["code"]) == REFUSED
    assert api(secret).get(KEYS).status_code == 200
    assert {**ApiKey.objects.filter(pk=key.pk).values().get(), "last_used_at": None} == before


@pytest.mark.parametrize(("method", "path", "body"), CHANGES)
def test_a_test_key_is_changed(client: Any, alice: Any, organization: Any, method: str, path: str, body: Any) -> None:
    key, _ = factories.key(organization, created_by=alice, environment="test", permissions=["credits:write"])
    assert getattr(client, method)(f"{KEYS}/{key.public_id}{path}", body).status_code == (
        204 if method == "delete" else 200
    )


def test_it_sees_live_keys(client: Any, alice: Any, organization: Any) -> None:
    key, _ = factories.key(organization, created_by=alice)
    assert client.get(f"{KEYS}/{key.public_id}").json()["environment"] == "live"


def test_it_makes_a_test_key_with_what_it_was_given_itself(client: Any) -> None:
    body = {"name": "Made", "environment": "test", "permissions": ["credits:write"]}
    assert client.post(KEYS, body).json()["permissions"] == ["credits:write"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/credits/purchases", {"amount": 5}),
        ("/v1/payment-methods", {"gateway_token": "pm_card_visa"}),
        ("/v1/credits/holds", {"amount": 1}),
        ("/v1/organizations", {"name": "Child"}),
    ],
)
def test_it_moves_no_money_and_makes_nothing_live(client: Any, organization: Any, path: str, body: Any) -> None:
    factories.card(organization)
    answer = client.post(path, body)
    assert (answer.status_code, answer.json()["code"]) == REFUSED


def test_who_am_i_says_what_is_for_live_keys(client: Any) -> None:
    answer = client.get("/v1/whoami").json()
    writes = sorted(scope for scope in scopes.BY_ROLE["owner"] if scope.endswith(":write") and scope != "keys:write")
    assert answer["missing_scopes"] == writes
    assert [refusal["scope"] for refusal in answer["refused"] if refusal["reason"] == "live_key_required"] == writes
