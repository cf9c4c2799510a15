"""/v1/organizations: the tree that the caller can see."""

from typing import Any

import pytest

from accounts import people
from accounts.models import Membership, Organization, User
from tests import factories

PATH = "/v1/organizations"


def ids(response: Any) -> list[str]:
    return [row["id"] for row in response.json()["results"]]


@pytest.fixture
def child(organization: Organization) -> Organization:
    """Beneath alice's."""
    return people.add_child(organization, name="Child")


def test_a_person_sees_the_tree_from_their_organizations_down(
    api: Any, alice: User, organization: Organization, child: Organization, charlie: User
) -> None:
    grandchild = people.add_child(child, name="Grandchild")
    response = api(alice).get(PATH)
    assert ids(response) == [organization.public_id, child.public_id, grandchild.public_id]
    assert response.json()["results"][2]["parent"] == child.public_id


def test_a_person_sees_every_organization_of_theirs(api: Any, bob: User, organization: Organization) -> None:
    home = Membership.objects.exclude(organization=organization).get(user=bob).organization
    assert set(ids(api(bob).get(PATH))) == {home.public_id, organization.public_id}


def test_a_role_in_a_child_reaches_neither_up_nor_sideways(
    api: Any, charlie: User, organization: Organization, child: Organization
) -> None:
    sibling = people.add_child(organization, name="Sibling")
    factories.join(charlie, child, "owner")
    assert child.public_id in ids(api(charlie).get(PATH))
    for hidden in (organization, sibling):
        assert hidden.public_id not in ids(api(charlie).get(PATH))
        assert api(charlie).get(f"{PATH}/{hidden.public_id}").status_code == 404


def test_a_program_sees_its_organization_and_what_is_beneath(
    api: Any, alice: User, organization: Organization, child: Organization
) -> None:
    elsewhere = factories.organization(owner=alice)
    _, secret = factories.key(child, created_by=alice, permissions=["account:read"])
    grandchild = people.add_child(child, name="Grandchild")
    assert ids(api(secret).get(PATH)) == [child.public_id, grandchild.public_id]
    assert api(secret).get(f"{PATH}/{elsewhere.public_id}").status_code == 404


def test_one_is_shown_with_its_documented_members(api: Any, alice: User, child: Organization) -> None:
    shown = api(alice).get(f"{PATH}/{child.public_id}").json()
    assert shown.keys() == {"id", "auth_id", "name", "parent", "status", "timezone", "created_at"}
    assert shown["auth_id"].startswith("SA")


@pytest.mark.parametrize("verb", ["get", "patch"])
def test_a_foreign_one_and_an_unknown_one_get_the_same_answer_to_the_byte(
    api: Any, charlie: User, organization: Organization, verb: str
) -> None:
    ask = getattr(api(charlie), verb)
    body = None if verb == "get" else {"name": "Mine"}
    foreign = ask(f"{PATH}/{organization.public_id}", body, x_request_id="the-same")
    unknown = ask(f"{PATH}/acct_0123456789abcdef", body, x_request_id="the-same")
    assert foreign.status_code == 404
    assert foreign.content == unknown.content
    assert foreign.headers == unknown.headers
    organization.refresh_from_db()
    assert organization.name != "Mine"


@pytest.mark.parametrize("name", ["acct_%00", "ACCT_0123456789abcde", "a" * 22, "..", "%ED%A0%80", "1'--"])
def test_an_id_of_another_form_is_unknown(api: Any, alice: User, name: str) -> None:
    response = api(alice).get(f"{PATH}/{name}")
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


def test_a_child_is_made_beneath_the_current_organization(api: Any, alice: User, organization: Organization) -> None:
    response = api(alice).post(PATH, {"name": "New"})
    assert response.status_code == 201
    assert response.json()["parent"] == organization.public_id
    made = Organization.objects.get(public_id=response.json()["id"])
    assert (made.root, made.path) == (organization, [organization.pk, made.pk])


def test_a_child_is_in_its_parents_time_zone_unless_another_is_named(api: Any, db: None) -> None:
    carol = factories.user("carol", timezone="Asia/Tokyo")
    client = api(carol)
    assert client.post(PATH, {"name": "Here"}).json()["timezone"] == "Asia/Tokyo"
    assert client.post(PATH, {"name": "There", "timezone": "Europe/Paris"}).json()["timezone"] == "Europe/Paris"


def test_six_levels_are_the_most(api: Any, alice: User, organization: Organization) -> None:
    for level in range(2, 7):
        made = api(alice).post(PATH, {"name": f"Level {level}"})
        assert made.status_code == 201
        people.switch(alice, Organization.objects.get(public_id=made.json()["id"]))
    refused = api(alice).post(PATH, {"name": "Level 7"})
    assert (refused.status_code, refused.json()["code"]) == (409, "conflict")
    assert Organization.objects.within(organization).count() == 6


def test_a_viewer_makes_no_child(api: Any, bob: User, organization: Organization) -> None:
    assert api(bob).post(PATH, {"name": "Bob's"}).status_code == 403
    assert Organization.objects.within(organization).count() == 1


@pytest.mark.parametrize("name", ["", "   ", "n" * 101, None, "a\0b", "\ud800", ["x"], {"x": 1}])
def test_a_bad_name_is_named(api: Any, alice: User, organization: Organization, name: Any) -> None:
    client = api(alice)
    made = client.post(PATH, {"name": name})
    changed = client.patch(f"{PATH}/{organization.public_id}", {"name": name})
    for response in (made, changed):
        assert response.status_code == 400
        assert response.json()["errors"][0]["pointer"] == "/name"
    assert Organization.objects.within(organization).get().name == "Alice"


def test_name_and_time_zone_can_be_changed(api: Any, alice: User, organization: Organization) -> None:
    body = {"name": "Renamed", "timezone": "America/Lima"}
    response = api(alice).patch(f"{PATH}/{organization.public_id}", body)
    assert response.status_code == 200
    assert {field: response.json()[field] for field in body} == body
    organization.refresh_from_db()
    assert (organization.name, organization.timezone) == ("Renamed", "America/Lima")


def test_nothing_else_can_be_changed(api: Any, charlie: User, alice: User, organization: Organization) -> None:
    elsewhere = charlie.current_organization
    before = Organization.objects.filter(pk=organization.pk).values().get()
    body: dict[str, Any] = {
        "id": "acct_hijacked00000000",
        "auth_id": "MAHIJACKED",
        "public_id": "acct_x",
        "parent": elsewhere.public_id if elsewhere else None,
        "root": "x",
        "path": [],
        "status": "closed",
        "created_at": "2000-01-01T00:00:00Z",
    }
    assert api(alice).patch(f"{PATH}/{organization.public_id}", body).status_code == 200
    assert Organization.objects.filter(pk=organization.pk).values().get() == before


def test_nothing_else_can_be_said_at_its_making(
    api: Any, alice: User, charlie: User, organization: Organization
) -> None:
    elsewhere = charlie.current_organization
    assert elsewhere
    body = {"name": "New", "parent": elsewhere.public_id, "status": "closed", "id": "acct_x", "auth_id": "MAX"}
    made = api(alice).post(PATH, body).json()
    assert made["parent"] == organization.public_id
    assert made["status"] == "active"
    assert made["id"] != "acct_x"


def test_a_change_needs_the_right_in_that_very_organization(api: Any, bob: User, organization: Organization) -> None:
    home = Membership.objects.exclude(organization=organization).get(user=bob).organization
    people.switch(bob, home)
    refused = api(bob).patch(f"{PATH}/{organization.public_id}", {"name": "Bob's"})
    assert (refused.status_code, refused.json()["code"]) == (403, "insufficient_scope")
    organization.refresh_from_db()
    assert organization.name == "Alice"


def test_the_whole_can_not_be_put_nor_deleted(api: Any, alice: User, organization: Organization) -> None:
    for verb in ("put", "delete"):
        assert getattr(api(alice), verb)(f"{PATH}/{organization.public_id}", {"name": "X"}).status_code == 405
    assert Organization.objects.filter(pk=organization.pk, name="Alice").exists()
