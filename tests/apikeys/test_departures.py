"""The API keys of a member who leaves are listed to the remover, and revoked or handed over."""

from typing import Any

import pytest

from accounts import people
from accounts.models import Membership, Organization, User
from apikeys.models import ApiKey
from tests import factories

PATH = "/v1/members"
KEYS = "/v1/account/api-keys"
PERMISSIONS = ["keys:read", "keys:write", "messaging:send"]


@pytest.fixture
def dora(organization: Organization) -> User:
    """A developer of the organization, for whom it is current."""
    person = factories.user("dora")
    factories.join(person, organization, "developer")
    people.switch(person, organization)
    return person


@pytest.fixture
def key(dora: User, organization: Organization) -> tuple[ApiKey, str]:
    return factories.key(organization, created_by=dora, permissions=PERMISSIONS)


def shown(key: ApiKey) -> dict[str, str]:
    assert key.organization
    return {"key_id": key.public_id, "name": key.name, "organization": key.organization.public_id}


@pytest.mark.parametrize("query", ["", "?api_keys=revoke"])
def test_they_are_revoked_and_listed(
    api: Any, gateway: Any, alice: User, dora: User, key: tuple[ApiKey, str], query: str
) -> None:
    answer = api(alice).delete(f"{PATH}/{dora.pk}{query}")

    assert (answer.status_code, answer.json()) == (200, {"api_keys": [shown(key[0])], "outcome": "revoked"})
    assert api(key[1]).get(KEYS).json()["code"] == "key_revoked"
    assert gateway.post("/v1/keys/verify", {"key": key[1]}).json()["code"] == "REVOKED"


def test_they_are_handed_over_and_go_on_working(
    api: Any, gateway: Any, alice: User, dora: User, key: tuple[ApiKey, str]
) -> None:
    answer = api(alice).delete(f"{PATH}/{dora.pk}?api_keys=hand_over")

    assert (answer.status_code, answer.json()) == (200, {"api_keys": [shown(key[0])], "outcome": "handed_over"})
    assert api(key[1]).get(f"{KEYS}/{key[0].public_id}").json()["created_by"] == alice.pk
    assert gateway.post("/v1/keys/verify", {"key": key[1]}).json()["permissions"] == PERMISSIONS


def test_a_key_that_was_handed_over_does_at_most_what_its_new_creator_may(
    api: Any, alice: User, dora: User, key: tuple[ApiKey, str], organization: Organization
) -> None:
    api(alice).delete(f"{PATH}/{dora.pk}?api_keys=hand_over")
    Membership.objects.filter(organization=organization, user=alice).update(role="viewer")
    assert api(key[1]).post(KEYS, {"name": "x"}).json()["code"] == "insufficient_scope"


def test_keys_beneath_are_among_them_and_revoked_ones_are_not(
    api: Any, alice: User, dora: User, key: tuple[ApiKey, str], organization: Organization
) -> None:
    beneath, _ = factories.key(people.add_child(organization, name="Child"), created_by=dora)
    revoked, _ = factories.key(organization, created_by=dora)
    others, _ = factories.key(organization, created_by=alice)
    api(alice).delete(f"{KEYS}/{revoked.public_id}")

    answer = api(alice).delete(f"{PATH}/{dora.pk}").json()

    assert answer["api_keys"] == [shown(key[0]), shown(beneath)]
    others.refresh_from_db()
    assert others.revoked_at is None


def test_keys_where_another_role_of_theirs_reaches_stay(
    api: Any, alice: User, dora: User, key: tuple[ApiKey, str], organization: Organization
) -> None:
    child = people.add_child(organization, name="Child")
    factories.join(dora, child, "viewer")
    beneath, secret = factories.key(child, created_by=dora, permissions=["keys:read"])
    elsewhere, _ = factories.key(factories.organization(owner=dora), created_by=dora)

    assert api(alice).delete(f"{PATH}/{dora.pk}").json()["api_keys"] == [shown(key[0])]

    assert api(secret).get(KEYS).status_code == 200
    for kept in (beneath, elsewhere):
        kept.refresh_from_db()
        assert (kept.revoked_at, kept.created_by) == (None, dora)


def test_who_leaves_has_theirs_revoked_and_hands_nothing_over(api: Any, dora: User, key: tuple[ApiKey, str]) -> None:
    refused = api(dora).delete(f"{PATH}/{dora.pk}?api_keys=hand_over")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/api_keys")
    assert Membership.objects.filter(user=dora, organization=key[0].organization).exists()

    assert api(dora).delete(f"{PATH}/{dora.pk}").json()["outcome"] == "revoked"
    assert api(key[1]).get(KEYS).status_code == 401


@pytest.mark.parametrize("value", ["", "keep", "REVOKE", "true"])
def test_an_unknown_outcome_is_refused_and_nobody_is_removed(
    api: Any, alice: User, dora: User, key: tuple[ApiKey, str], value: str
) -> None:
    refused = api(alice).delete(f"{PATH}/{dora.pk}?api_keys={value}")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/api_keys")
    assert api(dora).get(PATH).status_code == 200


def test_a_removal_that_is_refused_leaves_the_keys(
    api: Any, alice: User, key: tuple[ApiKey, str], organization: Organization
) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["keys:read"])
    assert api(alice).delete(f"{PATH}/{alice.pk}").json()["code"] == "last_owner"
    assert api(secret).get(KEYS).status_code == 200


def test_the_keys_of_a_person_can_be_listed_beforehand(
    api: Any, alice: User, dora: User, key: tuple[ApiKey, str]
) -> None:
    factories.key(key[0].organization, created_by=alice)  # type: ignore[arg-type]
    listed = api(alice).get(f"{KEYS}?created_by={dora.pk}").json()["results"]
    assert [entry["key_id"] for entry in listed] == [key[0].public_id]


def test_a_key_whose_creator_has_no_role_is_the_same_at_the_gate_and_at_the_api(
    api: Any, gateway: Any, dora: User, key: tuple[ApiKey, str]
) -> None:
    """As after a role was taken in the admin: the scopes are lost, the company's own permissions stay."""
    Membership.objects.filter(user=dora).delete()

    seen = api(key[1]).get("/v1/whoami").json()
    assert (seen["scopes"], seen["permissions"]) == ([], ["messaging:send"])
    assert api(key[1]).get(KEYS).json()["code"] == "insufficient_scope"
    verdicts = [
        gateway.post("/v1/keys/verify", {"key": key[1], "permission": permission}).json()
        for permission in ("keys:read", "messaging:send")
    ]
    assert [verdict["code"] for verdict in verdicts] == ["INSUFFICIENT_PERMISSIONS", "VALID"]
    assert [verdict["permissions"] for verdict in verdicts] == [["messaging:send"]] * 2
