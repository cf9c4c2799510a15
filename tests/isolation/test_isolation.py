"""Every route, every kind of credential, every relation: who may, who may not, and that nothing leaks."""

import json
from typing import Any

import pytest
from django.db import transaction

from accounts import scopes
from tests.conftest import Api
from tests.isolation.routes import ROUTES, Route, discovered
from tests.isolation.world import POSITIONS, ROLES, UNKNOWN, World, build, marker

CALLS = [(route, method) for route, entry in ROUTES.items() if entry.who != "open" for method in entry.scopes]
CUSTOMERS = (*ROLES, "api_key")


@pytest.fixture(scope="module", params=POSITIONS)
def _world(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> World:
    """Built once; every call of the tests is undone."""
    with django_db_blocker.unblock():
        return build(request.param)


@pytest.fixture
def world(_world: World, committed: None) -> World:
    return _world


def call(world: World, route: str, method: str, credential: str, relation: str = "own") -> Any:
    """One request, whose effect is undone."""
    entry = ROUTES[route]
    path = "/" + route
    if entry.names:
        path = path.partition("{")[0] + world.id_of(entry.names, relation) + path.partition("}")[2]
    with transaction.atomic():
        answer = getattr(Api(world.credentials[credential]), method)(path, entry.bodies.get(method))
        transaction.set_rollback(True)
    return answer


def may(entry: Route, method: str, credential: str) -> bool:
    needed = entry.scopes[method]
    role = "owner" if credential == "api_key" else credential
    return needed == "" or needed in scopes.BY_ROLE[role]


def without_request_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "request_id"}


def test_every_route_has_an_entry_and_every_entry_its_methods() -> None:
    found = discovered()
    assert set(found) == set(ROUTES)
    for route, entry in ROUTES.items():
        assert entry.who == "open" or found[route] == set(entry.scopes), route


@pytest.mark.parametrize(("route", "method"), CALLS)
def test_without_a_credential_there_is_nothing(world: World, route: str, method: str) -> None:
    answer = call(world, route, method, "anonymous")
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize(("route", "method"), CALLS)
def test_a_customer_may_do_what_the_role_may_and_nothing_else(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    for credential in CUSTOMERS:
        answer = call(world, route, method, credential)
        code = answer.json().get("code", "") if answer.content else ""
        if entry.who == "platform":
            assert (answer.status_code, code) == (403, "platform_key_required"), credential
        elif may(entry, method, credential):
            assert answer.status_code not in (401, 404), credential
            assert answer.status_code != 403 or code in ("billed_by_parent", "forbidden"), (credential, code)
        else:
            assert (answer.status_code, code) == (403, "insufficient_scope"), credential


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].who == "tenant"])
def test_a_platform_key_has_no_organization_of_its_own(world: World, route: str, method: str) -> None:
    answer = call(world, route, method, "platform_key")
    assert (answer.status_code, answer.json()["code"]) == (403, "organization_required")


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].names])
def test_what_is_out_of_reach_answers_as_what_does_not_exist(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    unknown = call(world, route, method, "owner", UNKNOWN)
    assert unknown.status_code == 404
    for credential in ("owner", "api_key"):
        for relation in world.organizations:
            answer = call(world, route, method, credential, relation)
            if relation in entry.reach:
                assert answer.status_code not in (401, 403, 404), (credential, relation)
            else:
                assert answer.status_code == 404, (credential, relation)
                assert without_request_id(answer) == without_request_id(unknown)


@pytest.mark.parametrize(("route", "method"), CALLS)
def test_no_answer_names_what_is_another_organizations(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    for credential in ("owner", "api_key"):  # none holds more
        text = call(world, route, method, credential).content.decode()
        for relation in set(world.organizations) - entry.shows:
            assert marker(relation) not in text, credential
            assert world.organizations[relation].public_id not in text.replace(_parent_of(world), ""), credential


def _parent_of(world: World) -> str:
    """An organization's own `parent` is named by its id, and by nothing else."""
    parent = world.organizations["own"].parent
    return f'"parent": "{parent.public_id}"' if parent else "nothing"


SMUGGLED = {
    "organization": "acct_0000000000000000",
    "account_id": "00000000-0000-0000-0000-000000000000",
    "role": "owner",
    "balance": 1_000_000,
    "is_staff": True,
    "is_superuser": True,
    "owner": 1,
    "root": None,
    "path": [],
    "status": "closed",
    "created_by": 1,
}


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if c[1] != "get" and ROUTES[c[0]].bodies])
def test_members_that_are_not_documented_change_nothing(world: World, route: str, method: str) -> None:
    """The same answer with them as without, and none of their values in it."""
    entry = ROUTES[route]
    if entry.who == "platform":
        pytest.skip("an event names its organization")
    body = entry.bodies.get(method)
    plain = call(world, route, method, "owner")
    entry.bodies[method] = {**SMUGGLED, **(body or {})}
    try:
        smuggled = call(world, route, method, "owner")
    finally:
        entry.bodies[method] = body
    assert smuggled.status_code == plain.status_code
    assert "1000000" not in smuggled.content.decode()
    if isinstance(json.loads(plain.content or "null"), dict):
        assert set(plain.json()) == set(smuggled.json())
        assert plain.json().get("status") == smuggled.json().get("status")
