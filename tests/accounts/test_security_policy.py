"""/v1/account/security: what an organization asks of those who work in it."""

from datetime import timedelta
from typing import Any

import pytest

from accounts import people, security, tokens
from accounts.lib import addresses
from accounts.models import Organization, SecurityPolicy, User
from tests import factories
from tests.conftest import Api

PATH = "/v1/account/security"
NOTHING = {
    "require_two_factor": False,
    "allowed_networks": [],
    "allowed_email_domains": [],
    "longest_key_life_days": None,
    "longest_session_hours": None,
    "sign_in_methods": [],
}
LOCAL = "127.0.0.0/8"


@pytest.fixture
def child(organization: Organization) -> Organization:
    return people.add_child(organization, name="Child")


def policy(organization: Organization, **asks: Any) -> SecurityPolicy:
    return SecurityPolicy.objects.create(organization=organization, **asks)


def test_at_first_it_asks_for_nothing(api: Any, alice: User) -> None:
    assert api(alice).get(PATH).json() == {**NOTHING, "effective": NOTHING, "people_without_factor": 1}
    assert not SecurityPolicy.objects.exists()


def test_what_is_set_is_kept_in_its_normal_form(api: Any, alice: User, organization: Organization) -> None:
    body = {
        "allowed_networks": ["127.0.0.1", "10.1.2.3/8", "2001:DB8::1/32", "::1", "10.0.0.0/255.0.0.0"],
        "allowed_email_domains": ["Example.COM", "@bücher.example", "example.com"],
        "longest_key_life_days": 90,
    }
    answer = api(alice).patch(PATH, body)
    assert answer.status_code == 200
    shown = answer.json()
    assert shown["allowed_networks"] == ["127.0.0.1/32", "10.0.0.0/8", "2001:db8::/32", "::1/128"]
    assert shown["allowed_email_domains"] == ["example.com", "xn--bcher-kva.example"]
    assert shown["longest_key_life_days"] == 90
    assert api(alice).get(PATH).json() == shown


def test_what_is_not_named_stays(api: Any, alice: User, organization: Organization) -> None:
    policy(organization, allowed_email_domains=["example.com"])
    api(alice).patch(PATH, {"longest_key_life_days": 30})
    assert SecurityPolicy.objects.get().allowed_email_domains == ["example.com"]


@pytest.mark.parametrize(
    ("field", "value", "pointer"),
    [
        ("require_two_factors", True, "/require_two_factors"),
        ("allowed_networks", ["127.0.0.1", "300.0.0.1"], "/allowed_networks/1"),
        ("allowed_networks", ["10.0.0.0/33"], "/allowed_networks/0"),
        ("allowed_networks", ["localhost"], "/allowed_networks/0"),
        ("allowed_networks", [7], "/allowed_networks/0"),
        ("allowed_networks", "10.0.0.0/8", "/allowed_networks"),
        ("allowed_networks", None, "/allowed_networks"),
        ("allowed_networks", ["10.0.0.1"] * 101, "/allowed_networks"),
        ("allowed_email_domains", ["not a domain"], "/allowed_email_domains/0"),
        ("allowed_email_domains", ["a@example.com"], "/allowed_email_domains/0"),
        ("allowed_email_domains", ["*.example.com"], "/allowed_email_domains/0"),
        ("longest_key_life_days", 0, "/longest_key_life_days"),
        ("longest_key_life_days", 36_501, "/longest_key_life_days"),
        ("longest_key_life_days", "soon", "/longest_key_life_days"),
        ("require_two_factor", "perhaps", "/require_two_factor"),
    ],
)
def test_a_bad_value_is_named_and_nothing_changes(api: Any, alice: User, field: str, value: Any, pointer: str) -> None:
    refused = api(alice).patch(PATH, {"longest_key_life_days": 5, field: value})
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not SecurityPolicy.objects.exists()


@pytest.mark.parametrize(
    "change", [{"require_two_factor": True}, {"sign_in_methods": ["passkey"]}, {"allowed_networks": ["192.0.2.0/24"]}]
)
def test_who_would_be_refused_can_not_require_it(api: Any, alice: User, change: Any) -> None:
    access = tokens.issue(alice, alice.current_organization).access
    refused = api(access).patch(PATH, {**change, "longest_key_life_days": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "locks_out_caller")
    assert refused.json()["errors"][0]["pointer"] == f"/{next(iter(change))}"
    assert not SecurityPolicy.objects.exists()
    assert api(access).patch(PATH, {"require_two_factor": False}).status_code == 200


@pytest.mark.parametrize(
    ("role", "status"), [("owner", 200), ("admin", 200), ("billing", 403), ("developer", 403), ("viewer", 403)]
)
def test_it_is_for_owners_and_admins(api: Any, organization: Organization, role: str, status: int) -> None:
    dora = factories.user("dora")
    factories.join(dora, organization, role)
    people.switch(dora, organization)
    assert api(dora).get(PATH).status_code == status
    assert api(dora).patch(PATH, {"longest_key_life_days": 5}).status_code == status


def test_each_organization_has_its_own(api: Any, alice: User, charlie: User) -> None:
    api(alice).patch(PATH, {"longest_key_life_days": 5})
    assert api(charlie).get(PATH).json()["longest_key_life_days"] is None


def test_its_organization_can_not_be_chosen(api: Any, alice: User, charlie: User) -> None:
    theirs = charlie.current_organization
    assert theirs is not None
    refused = api(alice).patch(PATH, {"organization": theirs.public_id, "organization_id": str(theirs.pk)})
    assert refused.status_code == 400
    assert not SecurityPolicy.objects.exists()


def test_an_ancestors_policy_is_the_minimum(api: Any, alice: User, organization: Organization, child: Any) -> None:
    policy(organization, allowed_networks=[LOCAL], longest_key_life_days=10, allowed_email_domains=["a.example"])
    policy(child, allowed_networks=["127.0.0.1/32"], longest_key_life_days=20, sign_in_methods=["password"])
    people.switch(alice, child)
    assert api(alice).get(PATH).json()["effective"] == {
        "require_two_factor": False,
        "allowed_networks": [[LOCAL], ["127.0.0.1/32"]],
        "allowed_email_domains": [["a.example"]],
        "longest_key_life_days": 10,
        "longest_session_hours": None,
        "sign_in_methods": [["password"]],
    }
    assert security.longest_key_life(child) == timedelta(days=10)


def test_a_childs_policy_does_not_reach_up(organization: Organization, child: Organization) -> None:
    policy(child, longest_key_life_days=10, allowed_networks=["192.0.2.0/24"])
    assert security.longest_key_life(organization) is None
    assert security.effective(organization).admits_address("127.0.0.1")


def test_from_elsewhere_a_request_is_refused_by_token_and_by_key(
    api: Any, alice: User, organization: Organization
) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["account:read"])
    token, key = api(alice), api(secret)
    assert [client.get("/v1/organizations").status_code for client in (token, key)] == [200, 200]
    policy(organization, allowed_networks=["192.0.2.0/24"])
    for client in (token, key):
        refused = client.get("/v1/organizations")
        assert (refused.status_code, refused.json()["code"]) == (403, "network_not_allowed")
    SecurityPolicy.objects.update(allowed_networks=["192.0.2.0/24", LOCAL])
    assert [client.get("/v1/organizations").status_code for client in (token, key)] == [200, 200]


def test_whoami_and_switching_are_open_from_anywhere(api: Any, bob: User, organization: Organization) -> None:
    policy(organization, allowed_networks=["192.0.2.0/24"])
    assert api(bob).get("/v1/whoami").status_code == 200
    home = Organization.objects.visible_to(bob).exclude(pk=organization.pk).get()
    assert api(bob).post("/v1/auth/switch", {"organization": home.public_id}).status_code == 200


def test_each_list_on_the_path_must_be_satisfied(
    api: Any, alice: User, organization: Organization, child: Organization
) -> None:
    people.switch(alice, child)
    policy(organization, allowed_networks=[LOCAL])
    below = policy(child, allowed_networks=["192.0.2.0/24"])
    assert api(alice).get("/v1/members").json()["code"] == "network_not_allowed"
    below.delete()
    assert api(alice).get("/v1/members").status_code == 200


def test_another_organization_is_not_changed_from_where_it_does_not_allow(
    api: Any, alice: User, child: Organization
) -> None:
    policy(child, allowed_networks=["192.0.2.0/24"])
    path = f"/v1/organizations/{child.public_id}"
    refused = [api(alice).patch(path, {"name": "Changed"}), api(alice).post(f"{path}/suspend", {})]
    assert [answer.json()["code"] for answer in refused] == ["network_not_allowed"] * 2
    child.refresh_from_db()
    assert (child.name, child.status) == ("Child", "active")


def test_behind_a_proxy_it_is_the_clients_address_that_counts(
    api: Any, alice: User, organization: Organization, settings: Any
) -> None:
    settings.TRUSTED_PROXIES = 1
    policy(organization, allowed_networks=["192.0.2.0/24"])
    client = api(alice)
    assert client.get("/v1/members", x_forwarded_for="192.0.2.7").status_code == 200
    assert client.get("/v1/members", x_forwarded_for="192.0.2.7, 198.51.100.1").status_code == 403


def test_without_a_proxy_nobody_claims_another_address(api: Any, alice: User, organization: Organization) -> None:
    policy(organization, allowed_networks=["192.0.2.0/24"])
    assert api(alice).get("/v1/members", x_forwarded_for="192.0.2.7").status_code == 403


def test_a_change_that_locks_the_caller_out_is_refused(api: Any, alice: User) -> None:
    refused = api(alice).patch(PATH, {"allowed_networks": ["192.0.2.0/24"], "longest_key_life_days": 5})
    assert (refused.status_code, refused.json()["code"]) == (409, "locks_out_caller")
    assert "127.0.0.1" in refused.json()["detail"]
    assert not SecurityPolicy.objects.exists()
    assert api(alice).patch(PATH, {"allowed_networks": ["192.0.2.0/24", LOCAL]}).status_code == 200


@pytest.mark.parametrize(
    ("address", "networks", "inside"),
    [
        ("192.0.2.7", ["192.0.2.0/24"], True),
        ("192.0.3.7", ["192.0.2.0/24"], False),
        ("::ffff:192.0.2.7", ["192.0.2.0/24"], True),
        ("2001:db8::7", ["192.0.2.0/24", "2001:db8::/32"], True),
        ("2001:db9::7", ["2001:db8::/32"], False),
        ("192.0.2.7", ["::/0"], False),
        ("192.0.2.7", ["0.0.0.0/0"], True),
        ("", ["0.0.0.0/0", "::/0"], False),
        ("unknown", ["0.0.0.0/0"], False),
        ("192.0.2.7", [], False),
    ],
)
def test_an_address_is_in_a_network(address: str, networks: list[str], inside: bool) -> None:
    assert addresses.within(address, networks) is inside


@pytest.mark.parametrize(
    ("email", "admitted"),
    [
        ("a@example.com", True),
        ("a@sub.example.com", False),
        ("a@example.com.evil.test", False),
        ("a@notexample.com", False),
        ("example.com@evil.test", False),
        ("a@bücher.example", True),
        ("a@xn--bcher-kva.example", True),
    ],
)
def test_an_email_is_of_a_domain(organization: Organization, email: str, admitted: bool) -> None:
    policy(organization, allowed_email_domains=["example.com", "xn--bcher-kva.example"])
    assert security.effective(organization).admits_email(email) is admitted


def test_the_platform_is_not_bound_by_a_customers_networks(gateway: Api, organization: Organization) -> None:
    policy(organization, allowed_networks=["192.0.2.0/24"])
    body = {"organization": organization.public_id, "id": "e1", "meter": "requests"}
    assert gateway.post("/v1/usage/events", body).json()["accepted"] == 1
