"""/v1/organizations/{id}/move: a subtree changes its place, within one payer."""

from functools import partial
from threading import Barrier
from typing import Any

import pytest

from accounts import people, security, tree
from accounts.credentials import Credential, Kind
from accounts.models import Membership, Organization, User
from accounts.models.organizations import OrganizationQuerySet
from tests import factories
from tests.concurrency import race


def nodes(root: Organization) -> dict[str, Organization]:
    """root → a → a1 → a2, and root → b."""
    a = people.add_child(root, name="a")
    a1 = people.add_child(a, name="a1")
    return {
        "root": root,
        "a": a,
        "a1": a1,
        "a2": people.add_child(a1, name="a2"),
        "b": people.add_child(root, name="b"),
    }


@pytest.fixture
def node(organization: Organization) -> dict[str, Organization]:
    return nodes(organization)


def shape(root: Organization) -> dict[str, list[str]]:
    """The names on each node's path, beneath the root; checked against the parents."""
    nodes = {node.pk: node for node in Organization.objects.filter(root=root)}
    for node in nodes.values():
        above = nodes[node.parent_id].path if node.parent_id else []
        assert node.path == [*above, node.pk]
    return {node.name: [nodes[pk].name for pk in node.path[1:]] for node in nodes.values() if node.parent_id}


BEFORE = {"a": ["a"], "a1": ["a", "a1"], "a2": ["a", "a1", "a2"], "b": ["b"]}


def move(client: Any, organization: Organization, parent: Organization, **headers: str) -> Any:
    path = f"/v1/organizations/{organization.public_id}/move"
    return client.post(path, {"parent": parent.public_id}, **headers)


def test_the_whole_subtree_goes_along(api: Any, alice: User, node: dict[str, Organization]) -> None:
    answer = move(api(alice), node["a1"], node["b"])
    assert answer.status_code == 200
    assert (answer.json()["id"], answer.json()["parent"]) == (node["a1"].public_id, node["b"].public_id)
    assert shape(node["root"]) == {"a": ["a"], "b": ["b"], "a1": ["b", "a1"], "a2": ["b", "a1", "a2"]}


def test_it_goes_up_to_the_root_and_down_again(api: Any, alice: User, node: dict[str, Organization]) -> None:
    move(api(alice), node["a1"], node["root"])
    assert shape(node["root"])["a2"] == ["a1", "a2"]
    move(api(alice), node["a1"], node["a"])
    assert shape(node["root"]) == BEFORE


def test_to_where_it_is_changes_nothing(api: Any, alice: User, node: dict[str, Organization]) -> None:
    assert move(api(alice), node["a1"], node["a"]).status_code == 200
    assert shape(node["root"]) == BEFORE


def test_roles_follow_the_tree_on_the_next_request(
    api: Any, alice: User, charlie: User, node: dict[str, Organization]
) -> None:
    factories.join(charlie, node["b"], "viewer")
    client = api(charlie)
    assert client.get(f"/v1/organizations/{node['a2'].public_id}").status_code == 404
    move(api(alice), node["a1"], node["b"])
    assert client.get(f"/v1/organizations/{node['a2'].public_id}").status_code == 200


@pytest.mark.parametrize(("moved", "parent"), [("a", "a"), ("a", "a1"), ("a", "a2")])
def test_nothing_is_beneath_itself(
    api: Any, alice: User, node: dict[str, Organization], moved: str, parent: str
) -> None:
    refused = move(api(alice), node[moved], node[parent])
    assert (refused.status_code, refused.json()["code"]) == (409, "cycle")
    assert shape(node["root"]) == BEFORE


def test_a_root_stays(api: Any, alice: User, node: dict[str, Organization]) -> None:
    refused = move(api(alice), node["root"], node["b"])
    assert (refused.status_code, refused.json()["code"]) == (409, "root_organization")


def test_it_stays_with_its_payer(api: Any, alice: User, node: dict[str, Organization]) -> None:
    other = factories.organization(owner=alice)
    refused = move(api(alice), node["b"], other)
    assert (refused.status_code, refused.json()["code"]) == (409, "another_payer")
    assert shape(node["root"]) == BEFORE


def test_a_foreign_parent_and_an_unknown_one_get_the_same_404(
    api: Any, alice: User, charlie: User, node: dict[str, Organization]
) -> None:
    path = f"/v1/organizations/{node['b'].public_id}/move"
    assert charlie.current_organization is not None
    foreign, unknown = (
        api(alice).post(path, {"parent": id}, x_request_id="one")
        for id in (charlie.current_organization.public_id, "acct_0000000000000000")
    )
    assert foreign.status_code == 404
    assert foreign.content == unknown.content


@pytest.mark.parametrize("body", [{}, {"parent": None}, {"parent": ""}, {"parent": "a" * 22}])
def test_a_bad_parent_is_named(api: Any, alice: User, node: dict[str, Organization], body: Any) -> None:
    refused = api(alice).post(f"/v1/organizations/{node['b'].public_id}/move", body)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (400, "/parent")


def test_the_deepest_of_the_subtree_counts(api: Any, alice: User, node: dict[str, Organization]) -> None:
    deep = people.add_child(people.add_child(node["b"], name="b1"), name="b2")
    refused = move(api(alice), node["a"], deep)  # 4 levels, and 3 more
    assert (refused.status_code, refused.json()["code"]) == (409, "too_deep")
    assert move(api(alice), node["a1"], deep).status_code == 200
    assert max(map(len, shape(node["root"]).values())) == 5


@pytest.mark.parametrize(
    ("roles", "moved", "parent", "allowed"),
    [
        ({"root": "admin"}, "a1", "b", True),
        ({"root": "viewer"}, "a1", "b", False),
        ({"a": "admin", "b": "admin"}, "a1", "b", True),
        ({"a": "admin", "b": "viewer"}, "a1", "b", False),
        ({"a1": "admin", "b": "admin"}, "a1", "b", False),  # it would be taken away from those of a
        ({"a1": "admin", "b": "admin"}, "a2", "b", False),
        ({"a": "admin", "b": "admin"}, "a2", "b", True),
        ({"b": "admin", "root": "viewer"}, "a1", "b", False),
    ],
)
def test_it_takes_the_right_over_all_whom_it_concerns(
    api: Any, node: dict[str, Organization], roles: dict[str, str], moved: str, parent: str, allowed: bool
) -> None:
    dora = factories.user("dora")
    for name, role in roles.items():
        factories.join(dora, node[name], role)
    answer = move(api(dora), node[moved], node[parent])
    assert (answer.status_code == 200) == allowed, answer.json()
    assert (shape(node["root"]) != BEFORE) == allowed


@pytest.mark.parametrize("suspended", ["a", "b"])
def test_nothing_moves_out_of_or_into_what_is_suspended(
    api: Any, node: dict[str, Organization], suspended: str
) -> None:
    dora = factories.user("dora")
    for name in ("a", "b"):
        factories.join(dora, node[name], "admin")
    Organization.objects.filter(pk=node[suspended].pk).update(status="suspended")
    assert move(api(dora), node["a1"], node["b"]).json()["code"] == "organization_suspended"
    assert shape(node["root"]) == BEFORE


def test_a_key_moves_what_is_beneath_its_organization(api: Any, alice: User, node: dict[str, Organization]) -> None:
    _, secret = factories.key(node["a"], created_by=alice, permissions=["account:write"])
    assert move(api(secret), node["a1"], node["b"]).status_code == 404
    assert move(api(secret), node["a2"], node["a"]).status_code == 200


def test_the_new_parents_networks_count_too(api: Any, alice: User, node: dict[str, Organization]) -> None:
    security.change(node["b"], {"allowed_networks": ["192.0.2.0/24"]}, by=factories.operator(), address="192.0.2.1")
    refused = move(api(alice), node["a1"], node["b"])
    assert (refused.status_code, refused.json()["code"]) == (403, "network_not_allowed")
    assert shape(node["root"]) == BEFORE


def test_with_an_idempotency_key_it_moves_once(api: Any, alice: User, node: dict[str, Organization]) -> None:
    first = move(api(alice), node["a1"], node["b"], idempotency_key="k")
    move(api(alice), node["a1"], node["a"])
    assert move(api(alice), node["a1"], node["b"], idempotency_key="k").json() == first.json()
    assert shape(node["root"]) == BEFORE


OPERATOR = Credential(
    Kind.PLATFORM_KEY, "key", None, None, "UTC", frozenset({tree.ADMINISTER}), frozenset({tree.ADMINISTER})
)


def crossing_moves() -> tuple[Organization, list[Any]]:
    """a beneath b, and b beneath a, at one moment."""
    root = factories.organization()
    a, b = (people.add_child(root, name=name) for name in ("a", "b"))
    moves: list[Any] = [partial(tree.move, x, parent=y.public_id, by=OPERATOR, address="") for x, y in ((a, b), (b, a))]
    return root, race(moves)


def test_of_two_moves_that_cross_one_is_refused(committed: None) -> None:
    for _ in range(5):
        root, results = crossing_moves()
        assert sorted(type(result).__name__ for result in results) == ["Cycle", "Organization"]
        assert sorted(map(len, shape(root).values())) == [1, 2]


def test_without_the_lock_they_would_make_a_cycle(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above."""
    both_have_looked, rewrite = Barrier(2), tree._rewrite

    def look(node: Organization, target: Organization) -> None:
        both_have_looked.wait(timeout=30)
        rewrite(node, target)

    monkeypatch.setattr(OrganizationQuerySet, "lock", lambda self, pk: self.get(pk=pk))
    monkeypatch.setattr(tree, "_rewrite", look)
    root, results = crossing_moves()
    assert all(isinstance(result, Organization) for result in results)
    a, b = Organization.objects.filter(root=root).exclude(pk=root.pk)
    assert (a.parent_id, b.parent_id) == (b.pk, a.pk)
    Organization.objects.filter(pk__in=[a.pk, b.pk]).update(parent=root)  # what other tests walk is a tree again


def test_children_made_during_a_move_land_where_it_went(committed: None) -> None:
    for _ in range(5):
        tree_ = nodes(factories.organization())
        calls = [partial(people.add_child, tree_["a1"], name=f"new {n}") for n in range(4)]
        race([partial(tree.move, tree_["a1"], parent=tree_["b"].public_id, by=OPERATOR, address=""), *calls])
        assert [path[:2] for name, path in shape(tree_["root"]).items() if "new" in name] == [["b", "a1"]] * 4


def test_a_move_changes_no_membership(api: Any, alice: User, node: dict[str, Organization]) -> None:
    before = list(Membership.objects.order_by("pk").values())
    move(api(alice), node["a1"], node["b"])
    assert list(Membership.objects.order_by("pk").values()) == before
