"""GET /v1/whoami says which roles one has, and of every scope that is refused, why."""

from typing import Any

from accounts import people, scopes
from accounts.models import Membership, Organization, SecurityPolicy, User
from tests import factories

PATH = "/v1/whoami"


def reasons(client: Any) -> dict[str, str]:
    return {refusal["scope"]: refusal["reason"] for refusal in client.get(PATH).json()["refused"]}


def test_roles_come_with_their_source_from_the_root_down(api: Any, bob: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Child")
    factories.join(bob, child, "developer")
    people.switch(bob, child)
    assert api(bob).get(PATH).json()["roles"] == [
        {"role": "viewer", "source": organization.public_id},
        {"role": "developer", "source": child.public_id},
    ]


def test_a_scope_is_either_usable_or_refused(api: Any, bob: User) -> None:
    client = api(bob)
    usable = set(client.get(PATH).json()["scopes"])
    assert usable == scopes.BY_ROLE["viewer"]
    assert reasons(client).keys() == scopes.ALL - usable


def test_what_the_role_lacks(api: Any, bob: User) -> None:
    assert reasons(api(bob))["keys:write"] == "role_lacks_it"


def test_what_no_role_holds(api: Any, alice: User) -> None:
    assert reasons(api(alice)) == dict.fromkeys(scopes.OF_COMPANY, "platform_key_required")


def test_what_the_key_was_not_granted(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["usage:read"])
    refused = reasons(api(secret))
    assert "usage:read" not in refused
    assert refused["keys:read"] == "not_granted_to_credential"


def test_what_a_token_is_too_old_for(api: Any, bob: User) -> None:
    client = api(bob)
    Membership.objects.filter(user=bob, organization=bob.current_organization).update(role="owner")
    assert reasons(client)["keys:write"] == "not_granted_to_credential"


def test_what_a_key_lost_with_its_creators_role(api: Any, bob: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=bob, permissions=["usage:read", "keys:write"])
    client = api(secret)
    assert reasons(client)["keys:write"] == "role_lacks_it"
    Membership.objects.filter(user=bob, organization=organization).delete()
    assert reasons(client)["usage:read"] == "not_a_member"


def test_a_person_who_was_removed(api: Any, bob: User) -> None:
    client = api(bob)
    Membership.objects.filter(user=bob).delete()
    assert set(reasons(client).values()) == {"not_a_member", "platform_key_required"}
    assert client.get(PATH).json()["roles"] == []


def test_a_suspended_organization(api: Any, alice: User, organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    refused = reasons(api(alice))
    assert refused["keys:write"] == "organization_suspended"
    assert "keys:read" not in refused
    assert "billing:write" not in refused


def test_an_address_outside_of_the_networks(api: Any, alice: User, organization: Organization) -> None:
    SecurityPolicy.objects.create(organization=organization, allowed_networks=["192.0.2.0/24"])
    assert reasons(api(alice))["keys:read"] == "network_not_allowed"


def test_a_platform_key(gateway: Any) -> None:
    refused = reasons(gateway)
    assert refused.keys() == scopes.ALL - scopes.GATEWAY
    assert {name for name, reason in refused.items() if reason == "organization_required"} == {
        "security:read",
        "security:write",
    }
    assert set(refused.values()) == {"organization_required", "not_granted_to_credential"}
    assert gateway.get("/v1/account/api-keys").json()["required_scopes"] == ["provisioning:read"]
    assert gateway.get(PATH).json()["roles"] == []


def test_the_reason_is_the_code_of_the_refusal(api: Any, alice: User, organization: Organization) -> None:
    client = api(alice)
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    refused = client.post("/v1/account/api-keys", {"name": "x"}).json()["code"]
    assert reasons(client)["keys:write"] == refused
