"""/v1/members: who works in an organization, and who may change that."""

from typing import Any

import pytest

from accounts import people
from accounts.models import Membership, Organization, User
from tests import factories

PATH = "/v1/members"


@pytest.fixture
def child(organization: Organization) -> Organization:
    return people.add_child(organization, name="Child")


def employ(person: User, organization: Organization, role: str) -> User:
    """Give a person a role, and make the organization their current one."""
    Membership.objects.update_or_create(user=person, organization=organization, defaults={"role": role})
    people.switch(person, organization)
    return person


def roles(organization: Organization) -> dict[int, str]:
    return dict(Membership.objects.filter(organization=organization).values_list("user_id", "role"))


def test_the_list_shows_everyone_with_their_role(api: Any, alice: User, bob: User, organization: Organization) -> None:
    answer = api(bob).get(PATH).json()
    assert answer.keys() == {"count", "next", "previous", "results"}
    assert answer["count"] == 2
    shown = answer["results"][1]
    joined = shown.pop("joined_at")
    assert joined.endswith("Z")
    assert shown == {
        "id": bob.pk,
        "email": bob.email,
        "name": "Bob",
        "role": "viewer",
        "source": organization.public_id,
        "inherited": False,
    }


def test_a_stranger_sees_none_of_them(api: Any, alice: User, charlie: User) -> None:
    assert [member["id"] for member in api(charlie).get(PATH).json()["results"]] == [charlie.pk]
    assert api(charlie).get(f"{PATH}/{alice.pk}").status_code == 404


def test_those_from_above_are_members_with_their_source(
    api: Any, alice: User, bob: User, organization: Organization, child: Organization
) -> None:
    dora = employ(factories.user("dora"), child, "admin")
    shown = {member["id"]: member for member in api(dora).get(PATH).json()["results"]}
    assert shown.keys() == {alice.pk, bob.pk, dora.pk}
    assert (shown[alice.pk]["source"], shown[alice.pk]["inherited"]) == (organization.public_id, True)
    assert (shown[dora.pk]["source"], shown[dora.pk]["inherited"]) == (child.public_id, False)


def test_those_below_and_beside_are_not(api: Any, alice: User, bob: User, child: Organization) -> None:
    factories.join(factories.user("below"), child, "owner")
    assert {member["id"] for member in api(alice).get(PATH).json()["results"]} == {alice.pk, bob.pk}


def test_who_has_two_roles_is_one_member_with_the_nearer_one(
    api: Any, alice: User, bob: User, child: Organization
) -> None:
    employ(bob, child, "developer")
    answer = api(bob).get(PATH).json()
    assert answer["count"] == 2
    assert [(member["id"], member["role"]) for member in answer["results"]] == [
        (alice.pk, "owner"),
        (bob.pk, "developer"),
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [("role=viewer", ["bob"]), ("role=owner", ["alice"]), ("role=billing", []), ("email=BOB-", ["bob"]), ("", ["*"])],
)
def test_it_can_be_narrowed(api: Any, alice: User, bob: User, query: str, expected: list[str]) -> None:
    names = [member["name"].lower() for member in api(alice).get(f"{PATH}?{query}").json()["results"]]
    assert names == (["alice", "bob"] if expected == ["*"] else expected)


def test_an_unknown_role_in_the_query_is_named(api: Any, alice: User) -> None:
    refused = api(alice).get(f"{PATH}?role=king")
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/role")


def test_one_member_can_be_asked_for(api: Any, alice: User, bob: User) -> None:
    assert api(bob).get(f"{PATH}/{alice.pk}").json()["role"] == "owner"


@pytest.mark.parametrize("id", ["0", "999999999999999999", "9999999999999999999", "x", "-1", "1.5"])
def test_an_unknown_member_is_not_found(api: Any, alice: User, id: str) -> None:
    for verb in ("get", "delete"):
        assert getattr(api(alice), verb)(f"{PATH}/{id}").status_code == 404
    assert api(alice).patch(f"{PATH}/{id}", {"role": "viewer"}).status_code == 404


def test_an_owner_gives_another_role(api: Any, alice: User, bob: User, organization: Organization) -> None:
    answer = api(alice).patch(f"{PATH}/{bob.pk}", {"role": "billing"})
    assert (answer.status_code, answer.json()["role"]) == (200, "billing")
    assert roles(organization)[bob.pk] == "billing"


@pytest.mark.parametrize("body", [{}, {"role": "king"}, {"role": None}, {"role": ["viewer"]}])
def test_a_bad_role_is_named_and_nothing_changes(
    api: Any, alice: User, bob: User, organization: Organization, body: Any
) -> None:
    refused = api(alice).patch(f"{PATH}/{bob.pk}", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/role")
    assert roles(organization)[bob.pk] == "viewer"


def test_nothing_but_the_role_can_be_set(api: Any, alice: User, bob: User, charlie: User) -> None:
    foreign = charlie.current_organization
    assert foreign is not None
    body = {"role": "developer", "organization": foreign.public_id, "user": charlie.pk, "id": charlie.pk}
    assert api(alice).patch(f"{PATH}/{bob.pk}", body).json()["id"] == bob.pk
    assert roles(foreign) == {charlie.pk: "owner"}


@pytest.mark.parametrize("role", ["viewer", "developer", "billing"])
def test_only_who_administers_members_may_change_them(
    api: Any, alice: User, bob: User, organization: Organization, role: str
) -> None:
    employ(bob, organization, role)
    dora = employ(factories.user("dora"), organization, "viewer")
    before = roles(organization)
    assert api(bob).patch(f"{PATH}/{dora.pk}", {"role": "viewer"}).json()["code"] == "insufficient_scope"
    assert api(bob).delete(f"{PATH}/{dora.pk}").json()["code"] == "insufficient_scope"
    assert roles(organization) == before


@pytest.mark.parametrize("role", ["owner", "billing"])
def test_an_admin_gives_no_role_that_holds_more_than_their_own(
    api: Any, bob: User, organization: Organization, role: str
) -> None:
    employ(bob, organization, "admin")
    dora = employ(factories.user("dora"), organization, "viewer")
    refused = api(bob).patch(f"{PATH}/{dora.pk}", {"role": role})
    assert (refused.status_code, refused.json()["code"]) == (403, "above_own_role")
    assert refused.json()["missing_scopes"] == ["billing:write", "credits:write"]
    assert roles(organization)[dora.pk] == "viewer"


def test_nobody_raises_themselves(api: Any, bob: User, organization: Organization) -> None:
    employ(bob, organization, "admin")
    assert api(bob).patch(f"{PATH}/{bob.pk}", {"role": "owner"}).status_code == 403
    assert roles(organization)[bob.pk] == "admin"


def test_an_admin_neither_demotes_nor_removes_an_owner(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    employ(bob, organization, "admin")
    for refused in (api(bob).patch(f"{PATH}/{alice.pk}", {"role": "viewer"}), api(bob).delete(f"{PATH}/{alice.pk}")):
        assert (refused.status_code, refused.json()["code"]) == (403, "above_own_role")
    assert roles(organization)[alice.pk] == "owner"


def test_an_api_key_gives_no_role_that_it_could_not_use_itself(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    permissions = ["members:read", "members:write", "account:read", "keys:read", "credits:read", "usage:read"]
    _, secret = factories.key(organization, created_by=alice, permissions=permissions)
    refused = api(secret).patch(f"{PATH}/{bob.pk}", {"role": "admin"})
    assert (refused.status_code, refused.json()["code"]) == (403, "above_own_role")
    assert roles(organization)[bob.pk] == "viewer"


def test_an_inherited_role_is_not_changed_from_below(
    api: Any, alice: User, bob: User, organization: Organization, child: Organization
) -> None:
    people.switch(alice, child)
    for refused in (api(alice).patch(f"{PATH}/{bob.pk}", {"role": "admin"}), api(alice).delete(f"{PATH}/{bob.pk}")):
        assert (refused.status_code, refused.json()["code"]) == (409, "member_inherited")
        assert organization.public_id in refused.json()["detail"]
    assert roles(organization)[bob.pk] == "viewer"


def test_removing_a_nearer_role_leaves_the_inherited_one(api: Any, alice: User, bob: User, child: Organization) -> None:
    factories.join(bob, child, "developer")
    people.switch(alice, child)
    assert api(alice).delete(f"{PATH}/{bob.pk}").status_code == 204
    assert api(alice).get(f"{PATH}/{bob.pk}").json()["role"] == "viewer"


def test_who_is_removed_is_out_on_the_next_request(api: Any, alice: User, bob: User) -> None:
    theirs = api(bob)
    assert theirs.get(PATH).status_code == 200
    assert api(alice).delete(f"{PATH}/{bob.pk}").status_code == 204
    assert theirs.get(PATH).json()["code"] == "organization_required"


def test_the_keys_of_who_is_removed_or_demoted_follow_on_the_next_request(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    employ(bob, organization, "developer")
    _, secret = factories.key(organization, created_by=bob, permissions=["keys:read", "keys:write", "usage:read"])
    key = api(secret)
    assert key.post("/v1/account/api-keys", {"name": "x"}).status_code == 201
    api(alice).patch(f"{PATH}/{bob.pk}", {"role": "viewer"})
    assert key.post("/v1/account/api-keys", {"name": "x"}).status_code == 403
    assert key.get("/v1/account/api-keys").status_code == 200
    api(alice).delete(f"{PATH}/{bob.pk}")
    assert key.get("/v1/account/api-keys").json()["code"] == "key_revoked"


def test_anyone_may_leave(api: Any, bob: User, organization: Organization) -> None:
    assert api(bob).delete(f"{PATH}/{bob.pk}").status_code == 204
    assert bob.pk not in roles(organization)


def test_a_key_does_not_make_its_creator_leave(api: Any, bob: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=bob, permissions=["members:read"])
    assert api(secret).delete(f"{PATH}/{bob.pk}").json()["code"] == "insufficient_scope"
    assert roles(organization)[bob.pk] == "viewer"


def test_the_last_owner_neither_leaves_nor_is_demoted(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    for refused in (api(alice).delete(f"{PATH}/{alice.pk}"), api(alice).patch(f"{PATH}/{alice.pk}", {"role": "admin"})):
        assert (refused.status_code, refused.json()["code"]) == (409, "last_owner")
    assert roles(organization)[alice.pk] == "owner"


def test_an_owner_who_can_not_sign_in_does_not_count(api: Any, alice: User, organization: Organization) -> None:
    gone = factories.user("gone")
    factories.join(gone, organization, "owner")
    User.objects.filter(pk=gone.pk).update(is_active=False)
    assert api(alice).delete(f"{PATH}/{alice.pk}").json()["code"] == "last_owner"


def test_with_another_owner_one_may_go(api: Any, alice: User, bob: User, organization: Organization) -> None:
    employ(bob, organization, "owner")
    assert api(alice).patch(f"{PATH}/{alice.pk}", {"role": "viewer"}).status_code == 200
    assert api(bob).delete(f"{PATH}/{alice.pk}").status_code == 204


def test_a_child_needs_no_owner_of_its_own(api: Any, child: Organization) -> None:
    dora = employ(factories.user("dora"), child, "owner")
    assert api(dora).delete(f"{PATH}/{dora.pk}").status_code == 204


def test_in_a_suspended_organization_nothing_changes_but_one_may_leave(
    api: Any, alice: User, bob: User, organization: Organization
) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert api(alice).delete(f"{PATH}/{bob.pk}").json()["code"] == "organization_suspended"
    assert api(bob).delete(f"{PATH}/{bob.pk}").status_code == 204
