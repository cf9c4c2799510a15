"""/v1/organizations/{id}/suspend and /resume: a subtree is stopped and resumed from the next request on."""

from typing import Any

import pytest

from accounts import people
from accounts.models import Membership, Organization, User
from tests import factories


@pytest.fixture
def child(organization: Organization) -> Organization:
    return people.add_child(organization, name="Child")


@pytest.fixture
def leaf(child: Organization) -> Organization:
    return people.add_child(child, name="Leaf")


@pytest.fixture
def dora(child: Organization) -> User:
    """An admin of the child, which is her current organization."""
    dora = factories.user("dora")
    factories.join(dora, child, "admin")
    people.switch(dora, child)
    return dora


def ask(client: Any, verb: str, organization: Organization, **headers: str) -> Any:
    return client.post(f"/v1/organizations/{organization.public_id}/{verb}", {}, **headers)


def status(organization: Organization) -> str:
    return Organization.objects.get(pk=organization.pk).status


def suspend(organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")


def test_it_answers_with_the_organization(api: Any, alice: User, child: Organization) -> None:
    answer = ask(api(alice), "suspend", child)
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["status"]) == (child.public_id, "suspended")
    assert answer.json()["parent"] == alice.current_organization.public_id  # type: ignore[union-attr]
    assert ask(api(alice), "resume", child).json()["status"] == "active"


def test_the_subtree_stops_on_the_next_request_and_goes_on(
    api: Any, alice: User, child: Organization, leaf: Organization
) -> None:
    worker = factories.user("worker")
    factories.join(worker, leaf, "developer")
    people.switch(worker, leaf)
    theirs = api(worker)
    assert theirs.post("/v1/account/api-keys", {"name": "one"}).status_code == 201
    ask(api(alice), "suspend", child)
    assert theirs.post("/v1/account/api-keys", {"name": "two"}).json()["code"] == "organization_suspended"
    ask(api(alice), "resume", child)
    assert theirs.post("/v1/account/api-keys", {"name": "two"}).status_code == 201


def test_suspending_or_resuming_again_changes_nothing(api: Any, alice: User, child: Organization) -> None:
    assert [ask(api(alice), "suspend", child).status_code for _ in range(2)] == [200, 200]
    assert [ask(api(alice), "resume", child).status_code for _ in range(2)] == [200, 200]


def test_those_who_administer_it_may_suspend_it(api: Any, dora: User, child: Organization) -> None:
    assert ask(api(dora), "suspend", child).status_code == 200


def test_its_own_people_can_not_resume_it(api: Any, dora: User, child: Organization) -> None:
    suspend(child)
    assert ask(api(dora), "resume", child).status_code == 403
    assert status(child) == "suspended"


def test_its_own_people_can_not_resume_it_from_elsewhere_either(api: Any, dora: User, child: Organization) -> None:
    suspend(child)
    people.switch(dora, Organization.objects.visible_to(dora).exclude(pk=child.pk).get(parent=None))
    refused = ask(api(dora), "resume", child)
    assert (refused.status_code, refused.json()["code"]) == (403, "parent_required")
    assert status(child) == "suspended"


def test_beneath_a_suspended_one_nothing_is_resumed_from_within(
    api: Any, dora: User, child: Organization, leaf: Organization
) -> None:
    suspend(leaf)
    suspend(child)
    assert ask(api(dora), "resume", leaf).status_code == 403
    assert status(leaf) == "suspended"


@pytest.mark.parametrize("role", ["viewer", "developer"])
def test_who_does_not_administer_is_refused(api: Any, dora: User, child: Organization, role: str) -> None:
    Membership.objects.filter(user=dora, organization=child).update(role=role)
    assert ask(api(dora), "suspend", child).json()["code"] == "insufficient_scope"
    assert status(child) == "active"


def test_a_role_in_a_child_does_not_reach_up_or_sideways(api: Any, dora: User, organization: Organization) -> None:
    sibling = people.add_child(organization, name="Sibling")
    assert [ask(api(dora), "suspend", node).status_code for node in (organization, sibling)] == [404, 404]
    assert [status(organization), status(sibling)] == ["active", "active"]


@pytest.mark.parametrize("verb", ["suspend", "resume", "move"])
def test_a_stranger_gets_the_same_404_as_for_an_unknown_one(
    api: Any, charlie: User, child: Organization, verb: str
) -> None:
    body = {"parent": child.public_id}
    foreign, unknown = (
        api(charlie).post(f"/v1/organizations/{id}/{verb}", body, x_request_id="one")
        for id in (child.public_id, "acct_0000000000000000")
    )
    assert foreign.status_code == 404
    assert foreign.content == unknown.content


def test_a_root_is_for_the_operator(api: Any, gateway: Any, alice: User, organization: Organization) -> None:
    for verb in ("suspend", "resume"):
        refused = ask(api(alice), verb, organization)
        assert (refused.status_code, refused.json()["code"]) == (403, "operator_required")
    assert status(organization) == "active"
    assert ask(gateway, "suspend", organization).json()["status"] == "suspended"
    assert api(alice).post("/v1/account/api-keys", {"name": "x"}).json()["code"] == "organization_suspended"
    assert ask(api(alice), "resume", organization).json()["code"] == "organization_suspended"
    assert ask(gateway, "resume", organization).json()["status"] == "active"


def test_a_platform_key_does_it_in_any_organization(gateway: Any, leaf: Organization) -> None:
    assert ask(gateway, "suspend", leaf).json()["status"] == "suspended"
    assert ask(gateway, "resume", leaf).json()["status"] == "active"


def test_a_platform_key_without_the_scope_does_not(api: Any, child: Organization) -> None:
    from apikeys import keys

    _, secret = keys.create(None, name="gate", permissions=["usage:write"])
    assert ask(api(secret), "suspend", child).json()["code"] == "insufficient_scope"
    assert status(child) == "active"


def test_a_key_of_a_suspended_child_does_not_reach_up_to_resume_it(
    api: Any, alice: User, child: Organization, leaf: Organization
) -> None:
    suspend(leaf)
    _, own = factories.key(leaf, created_by=alice, permissions=["account:write"])
    _, above = factories.key(child, created_by=alice, permissions=["account:write"])
    assert ask(api(own), "resume", leaf).status_code == 403
    assert status(leaf) == "suspended"
    assert ask(api(above), "resume", leaf).status_code == 200


def test_a_closed_one_stays_closed(api: Any, alice: User, child: Organization) -> None:
    Organization.objects.filter(pk=child.pk).update(status="closed")
    for verb in ("suspend", "resume"):
        refused = ask(api(alice), verb, child)
        assert (refused.status_code, refused.json()["code"]) == (409, "organization_closed")
    assert status(child) == "closed"


def test_with_an_idempotency_key_the_first_answer_comes_again(api: Any, alice: User, child: Organization) -> None:
    first = ask(api(alice), "suspend", child, idempotency_key="k").json()
    ask(api(alice), "resume", child)
    again = ask(api(alice), "suspend", child, idempotency_key="k")
    assert (again.headers["Idempotent-Replayed"], again.json()) == ("true", first)
    assert status(child) == "active"


def test_who_makes_a_child_sees_it_through_the_role_above(api: Any, alice: User, bob: User, charlie: User) -> None:
    made = api(alice).post("/v1/organizations", {"name": "New"}).json()
    assert [api(who).get(f"/v1/organizations/{made['id']}").status_code for who in (alice, bob, charlie)] == [
        200,
        200,
        404,
    ]
    assert not Membership.objects.filter(organization__public_id=made["id"]).exists()
