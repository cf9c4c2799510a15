"""Service accounts: their keys go on when the person who made them leaves."""

from typing import Any

import pytest

from accounts import scopes
from accounts.models import Event, Organization, SecurityPolicy, ServiceAccount, User
from apikeys.models import ApiKey
from tests import factories
from tests.conftest import Api

PATH = "/v1/service-accounts"
KEYS = "/v1/account/api-keys"


@pytest.fixture
def admin(organization: Organization) -> User:
    """An admin of alice's organization, who makes service accounts and leaves."""
    from accounts import people

    dora = factories.user("dora")
    factories.join(dora, organization, "admin")
    people.switch(dora, organization)
    return dora


def made(person: Api, **fields: Any) -> Any:
    return person.post(PATH, {"name": "Deployment", "role": "developer", **fields})


def test_its_key_outlives_its_maker(
    api: Any, gateway: Api, alice: User, admin: User, organization: Organization
) -> None:
    factories.credit(organization, 10)
    dora = api(admin)
    account = made(dora).json()
    assert (account["role"], account["responsible"]) == ("developer", admin.pk)
    key = dora.post(KEYS, {"name": "k", "permissions": ["keys:read"], "service_account": account["id"]}).json()
    own = dora.post(KEYS, {"name": "own", "permissions": ["keys:read"]}).json()
    removed = api(alice).delete(f"/v1/members/{admin.pk}").json()
    assert [left["key_id"] for left in removed["api_keys"]] == [own["key_id"]]
    assert api(key["api_key"]).get(KEYS).status_code == 200
    assert api(own["api_key"]).get(KEYS).status_code == 401
    assert gateway.post("/v1/keys/verify", {"key": key["api_key"], "permission": "keys:read"}).json()["valid"] is True
    assert api(alice).get(f"{PATH}/{account['id']}").json()["responsible"] == alice.pk


def test_its_role_bounds_the_key(api: Any, admin: User) -> None:
    dora = api(admin)
    account = made(dora, role="viewer").json()
    body = {"name": "k", "permissions": ["keys:read", "keys:write"], "service_account": account["id"]}
    secret = dora.post(KEYS, body).json()["api_key"]
    assert api(secret).get("/v1/whoami").json()["scopes"] == ["keys:read"]


def test_removing_it_revokes_its_keys(api: Any, alice: User) -> None:
    owner = api(alice)
    account = made(owner).json()
    secret = owner.post(KEYS, {"name": "k", "service_account": account["id"]}).json()["api_key"]
    assert owner.delete(f"{PATH}/{account['id']}").status_code == 204
    assert api(secret).get("/v1/whoami").status_code == 401
    assert not ApiKey.objects.unrevoked().exists()
    assert owner.get(PATH).json()["count"] == 0
    assert {"service_account.created", "service_account.removed"} <= set(Event.objects.values_list("type", flat=True))
    refused = owner.post(KEYS, {"name": "k", "service_account": account["id"]})
    assert refused.json()["errors"][0]["pointer"] == "/service_account"


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [({"role": "owner"}, "/role"), ({"responsible": 2147483647}, "/responsible"), ({"name": ""}, "/name")],
)
def test_a_bad_field_is_named_and_nothing_is_made(api: Any, alice: User, fields: Any, pointer: str) -> None:
    refused = made(api(alice), **fields)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not ServiceAccount.objects.exists()


def test_nobody_gives_it_more_than_they_hold(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["members:write", "members:read"])
    refused = made(api(secret), role="admin")
    assert (refused.status_code, refused.json()["code"]) == (403, "above_own_role")


def test_one_that_makes_another_names_its_own_person(api: Any, admin: User) -> None:
    account = made(api(admin), role="admin").json()
    permissions = sorted(scopes.BY_ROLE["viewer"] | {"members:write"})
    body = {"name": "k", "permissions": permissions, "service_account": account["id"]}
    secret = api(admin).post(KEYS, body).json()["api_key"]
    assert made(api(secret), role="viewer").json()["responsible"] == admin.pk


def test_nobody_removes_one_above_their_own_role(api: Any, alice: User, organization: Organization) -> None:
    account = made(api(alice), role="billing").json()
    _, secret = factories.key(organization, created_by=alice, permissions=["members:write", "members:read"])
    refused = api(secret).delete(f"{PATH}/{account['id']}")
    assert (refused.status_code, refused.json()["code"]) == (403, "above_own_role")
    assert ServiceAccount.objects.living().count() == 1


def test_it_needs_no_second_factor_and_is_no_member_of_the_list(
    api: Any, alice: User, organization: Organization
) -> None:
    owner = api(alice)
    account = made(owner).json()
    secret = owner.post(KEYS, {"name": "k", "permissions": ["members:read"], "service_account": account["id"]}).json()[
        "api_key"
    ]
    SecurityPolicy.objects.create(organization=organization, require_two_factor=True)
    listed = api(secret).get("/v1/members")
    assert (listed.status_code, [row["id"] for row in listed.json()["results"]]) == (200, [alice.pk])
