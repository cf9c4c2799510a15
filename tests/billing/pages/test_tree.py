"""The tree of organizations in the browser."""

from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import Organization, User
from tests import factories
from tests.browser import at, messages_of, signed_in, text
from tests.usage.metering.batches import event, record


@pytest.fixture
def browser(alice: User) -> Client:
    return signed_in(alice)


@pytest.fixture
def europe(funded: Organization) -> Organization:
    return Organization.objects.create_child(funded, name="Europe")


@pytest.fixture
def paris(europe: Organization) -> Organization:
    return Organization.objects.create_child(europe, name="Paris")


def tree(browser: Client, organization: Organization, rest: str = "", **fields: Any) -> Any:
    path = at(organization, f"organizations/{rest}")
    return browser.post(path, fields) if fields else browser.get(path)


def test_it_shows_the_tree_with_what_each_spent(
    browser: Client, funded: Organization, europe: Organization, paris: Organization
) -> None:
    asia = Organization.objects.create_child(funded, name="Asia")
    tree(browser, funded, f"{asia.public_id}/budget/", monthly_budget="0.04")
    record(event(paris, meter="sms"), event(asia, meter="sms"))
    nodes = tree(browser, funded).context["nodes"]
    assert [(node.organization.name, node.depth, node.spent, node.share) for node in nodes] == [
        (funded.name, 0, Decimal("0.02"), None),
        ("Asia", 1, Decimal("0.01"), Decimal(25)),
        ("Europe", 1, Decimal("0.01"), None),
        ("Paris", 2, Decimal("0.01"), None),
    ]
    assert [node.depth for node in tree(browser, europe).context["nodes"]] == [0, 1]


def test_a_child_is_made(browser: Client, funded: Organization) -> None:
    assert tree(browser, funded, name="").status_code == 400
    assert messages_of(tree(browser, funded, name="Asia")) == [f"Asia was created beneath {funded.name}."]
    assert Organization.objects.get(name="Asia").parent == funded


def test_a_budget_is_set_and_taken_away(browser: Client, funded: Organization, europe: Organization) -> None:
    page = f"{europe.public_id}/budget/"
    assert tree(browser, funded, page, monthly_budget="-1").status_code == 400
    for given, kept in (("12.5", Decimal("12.5")), ("", None)):
        assert tree(browser, funded, page, monthly_budget=given).status_code == 302
        europe.refresh_from_db()
        assert europe.monthly_budget == kept


def test_a_node_is_moved_but_not_beneath_itself(
    browser: Client, funded: Organization, europe: Organization, paris: Organization
) -> None:
    assert tree(browser, funded, f"{europe.public_id}/move/", parent=paris.public_id).status_code == 400
    assert tree(browser, funded, f"{paris.public_id}/move/", parent=funded.public_id).status_code == 302
    paris.refresh_from_db()
    assert paris.parent == funded


def test_a_node_is_suspended_and_resumed(browser: Client, funded: Organization, europe: Organization) -> None:
    suspend = f"{europe.public_id}/suspend/"
    for reason in ("Not needed\0", "x" * 501):
        refused = tree(browser, funded, suspend, reason=reason)
        assert refused.status_code == 400
        assert "<title>Error: Europe" in text(refused)
        assert "maxlength" not in text(refused)
    tree(browser, funded, suspend, reason="Not needed")
    europe.refresh_from_db()
    assert europe.status == "suspended"
    assert "Resume" in text(tree(browser, funded, f"{europe.public_id}/"))
    tree(browser, funded, f"{europe.public_id}/resume/", x=1)
    europe.refresh_from_db()
    assert europe.status == "active"
    assert tree(browser, funded, f"{funded.public_id}/suspend/", x=1).status_code == 403


def test_a_viewer_looks_and_changes_nothing(bob: User, funded: Organization, europe: Organization) -> None:
    browser = signed_in(bob)
    assert "New organization" not in text(tree(browser, funded))
    assert "Suspend" not in text(tree(browser, funded, f"{europe.public_id}/"))
    for rest in ("", "budget/", "move/", "suspend/", "resume/"):
        node = f"{europe.public_id}/{rest}" if rest else ""
        assert tree(browser, funded, node, x=1).status_code == 403


def test_a_stranger_and_another_tree_find_nothing(charlie: User, browser: Client, europe: Organization) -> None:
    theirs = factories.organization()
    assert tree(signed_in(charlie), europe).status_code == 404
    for rest in ("", "budget/", "move/", "suspend/"):
        assert tree(browser, europe, f"{theirs.public_id}/{rest}", **({"x": 1} if rest else {})).status_code == 404
