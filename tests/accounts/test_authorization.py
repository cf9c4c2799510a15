"""The token caps, the database decides: role, membership and suspension count from the next request on."""

from typing import Any

import pytest

from accounts import people, scopes
from accounts.models import Membership, Organization, User
from apikeys.models import ApiKey
from billing.models import BillingAccount
from tests import factories

ACCOUNT = {"name": "Acme", "email": "a@example.com", "address": {"country": "AU"}}


def set_role(person: User, role: str) -> None:
    Membership.objects.filter(user=person, organization=person.current_organization).update(role=role)


def test_a_demotion_takes_effect_on_the_next_request(api: Any, alice: User) -> None:
    client = api(alice)
    assert client.post("/v1/account/api-keys", {"name": "one"}).status_code == 201
    set_role(alice, "viewer")
    refused = client.post("/v1/account/api-keys", {"name": "two"})
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    assert refused.json()["required_scopes"] == ["keys:write"]
    assert set(refused.json()["granted_scopes"]) == scopes.BY_ROLE["viewer"]
    assert ApiKey.objects.get().name == "one"


def test_a_promotion_needs_a_new_token_since_the_old_one_caps(api: Any, bob: User) -> None:
    before = api(bob)
    set_role(bob, "owner")
    assert before.post("/v1/account/api-keys", {"name": "x"}).status_code == 403
    assert api(bob).post("/v1/account/api-keys", {"name": "x"}).status_code == 201


def test_who_is_removed_is_out_on_the_next_request(api: Any, bob: User) -> None:
    client = api(bob)
    assert client.get("/auth/account/credits").status_code == 200
    Membership.objects.filter(user=bob, organization=bob.current_organization).delete()
    refused = client.get("/auth/account/credits")
    assert (refused.status_code, refused.json()["code"]) == (403, "organization_required")


@pytest.mark.parametrize(
    ("role", "may_write_keys", "may_buy", "may_see_cards"),
    [
        ("owner", True, True, True),
        ("admin", True, False, True),
        ("billing", False, True, True),
        ("developer", True, False, False),
        ("viewer", False, False, False),
    ],
)
def test_each_role_has_its_scopes(
    api: Any, bob: User, role: str, may_write_keys: bool, may_buy: bool, may_see_cards: bool
) -> None:
    set_role(bob, role)
    client = api(bob)
    assert (client.post("/v1/account/api-keys", {"name": "x"}).status_code != 403) == may_write_keys
    assert (client.post("/v1/credits/purchases", {"amount": 1}).status_code != 403) == may_buy
    assert (client.get("/v1/payment-methods").status_code != 403) == may_see_cards
    assert client.get("/auth/account/usage").status_code == 200


def test_no_role_may_post_usage() -> None:
    assert not [role for role, held in scopes.BY_ROLE.items() if "usage:write" in held]


def test_every_role_holds_known_scopes_only() -> None:
    assert frozenset().union(*scopes.BY_ROLE.values(), scopes.PLATFORM) <= scopes.ALL


@pytest.mark.parametrize("status", ["suspended", "closed"])
def test_a_suspended_organization_reads_and_writes_nothing(api: Any, alice: User, status: str) -> None:
    client = api(alice)
    Organization.objects.visible_to(alice).update(status=status)
    assert client.get("/auth/account/credits").status_code == 200
    refused = client.post("/v1/account", ACCOUNT)
    assert (refused.status_code, refused.json()["code"]) == (403, "organization_suspended")
    assert not BillingAccount.objects.exists()


def test_a_suspended_ancestor_stops_its_subtree(api: Any, alice: User, organization: Organization) -> None:
    child = people.add_child(people.add_child(organization, name="Middle"), name="Leaf")
    people.switch(alice, child)
    client = api(alice)
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert client.get("/v1/organizations").status_code == 200
    assert client.post("/v1/account/api-keys", {"name": "x"}).json()["code"] == "organization_suspended"
    assert not ApiKey.objects.exists()


def test_a_suspended_child_does_not_stop_its_parent(api: Any, alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Child")
    Organization.objects.filter(pk=child.pk).update(status="suspended")
    client = api(alice)
    assert client.post("/v1/account/api-keys", {"name": "x"}).status_code == 201
    refused = client.patch(f"/v1/organizations/{child.public_id}", {"name": "Changed"})
    assert refused.json()["code"] == "organization_suspended"
    child.refresh_from_db()
    assert child.name == "Child"


def test_what_is_resumed_works_on_the_next_request(api: Any, alice: User) -> None:
    client = api(alice)
    mine = Organization.objects.visible_to(alice)
    mine.update(status="suspended")
    assert client.post("/v1/account", ACCOUNT).status_code == 403
    mine.update(status="active")
    assert client.post("/v1/account", ACCOUNT).status_code == 201


def test_what_a_role_does_not_have_a_suspension_does_not_explain(api: Any, bob: User) -> None:
    client = api(bob)
    Organization.objects.visible_to(bob).update(status="suspended")
    assert client.post("/v1/account", ACCOUNT).json()["code"] == "insufficient_scope"


def test_a_gateways_key_acts_for_no_organization(gateway: Any) -> None:
    for path in ("/v1/account", "/v1/organizations", "/auth/account/credits", "/v1/account/api-keys"):
        refused = gateway.get(path)
        assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")


@pytest.mark.parametrize("path", ["/v1/usage/events", "/v1/keys/verify"])
def test_a_customers_credential_is_refused_by_the_gateways_doors_before_anything_is_read(
    api: Any, alice: User, organization: Organization, path: str
) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["usage:write", "keys:read"])
    for client in (api(alice), api(secret)):
        refused = client.post(path, "this is no JSON")
        assert (refused.status_code, refused.json()["code"]) == (403, "platform_key_required")
