"""Every route, every kind of credential, every relation: who may, who may not, and that nothing leaks."""

import base64
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import transaction

from accounts import scopes
from accounts.access import LiveKeyRequired
from accounts.models import SecurityPolicy
from accounts.security import NetworkNotAllowed
from tests.config.upgrades import databases
from tests.conftest import Api
from tests.isolation.routes import ROUTES, SUBTREE, Route, discovered, parameters
from tests.isolation.world import NOBODYS, POSITIONS, ROLES, UNKNOWN, World, build, marker

CALLS = [(route, method) for route, entry in ROUTES.items() if entry.who != "open" for method in entry.scopes]
CUSTOMERS = (*ROLES, "api_key")
# What a request may name of other organizations: an object in the path, a parameter in the query string.
NAMED = [(route, method) for route, method in CALLS if ROUTES[route].names and not ROUTES[route].is_for_company(method)]
TENANTS = [(route, method) for route, method in CALLS if ROUTES[route].who in ("tenant", "either")]
PARAMETERS = [(route, parameter) for route, entry in ROUTES.items() for parameter in entry.query]
SECURITY = frozenset({"security:read", "security:write"})
EXPORTS = {  # they take every scope that reads
    ("v1/exports", "post"),
    ("v1/exports/{id}", "get"),
    ("v1/exports/{id}/download", "get"),
}
OF_PERSONS = frozenset({"forbidden"})  # only a person has first steps to hide
# What only the company does to an organization that the body or the query string names.
CORRECTIONS = (
    "v1/credits/grants",
    "v1/credits/leases",
    "v1/credits/adjustments",
    "v1/ledger/{id}/reverse",
    "v1/usage/events/{id}/void",
)
ELSEWHERE = ["10.0.0.0/8"]  # networks that the tests' requests don't come from
JSON = ("application/json", "application/problem+json")
# Where one position says it all: at the root there is money, in the middle every relation.
ROOT, MIDDLE = (pytest.mark.parametrize("_world", [position], indirect=True) for position in ("root", "middle"))
STRONGEST = (("owner", "api_key"), ("api_key",))  # by Bearer and by Basic: none holds more


@pytest.fixture(scope="module", params=POSITIONS)
def _world(request: pytest.FixtureRequest, second_database: str, django_db_blocker: Any) -> World:
    """Built once; every call of the tests is undone."""
    with django_db_blocker.unblock(), databases.connected(second_database):
        return build(request.param)


@pytest.fixture
def world(_world: World, committed: None) -> World:
    return _world


def call(
    world: World,
    route: str,
    method: str,
    credential: str,
    relation: str = "own",
    more: Mapping[str, Any] | None = None,
    named: str = "",
) -> Any:
    """One request, whose effect is undone; `more` goes into its body, the `named` relation into its query string."""
    body = ROUTES[route].bodies.get(method)
    body = body(world) if callable(body) else body
    with transaction.atomic():
        client = api(world, credential, basic=ROUTES[route].who == "basic")
        query = f"?organization={world.id_of('organization', named)}" if named else ""
        path = path_of(world, route, relation) + query
        answer = getattr(client, method)(path, {**more, **(body or {})} if more else body)
        transaction.set_rollback(True)
    return answer


def usual(world: World, route: str, method: str, credential: str) -> Any:
    """The answer to a call about one's own, made once: several tests look at the same one."""
    key = route, method, credential
    if key not in world.answers:
        world.answers[key] = call(world, route, method, credential)
    return world.answers[key]


def api(world: World, credential: str, *, basic: bool) -> Api:
    client = Api(world.credentials[credential])
    if basic and credential != "anonymous":
        pair = f"{world.organizations['own'].auth_id}:{world.credentials[credential]}"
        client.headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return client


def ask(world: World, route: str, parameter: str, credential: str, relation: str) -> Any:
    """A GET that names the relation's object in its query string."""
    with transaction.atomic():
        answer = api(world, credential, basic=False).get(f"/{route}?{parameter}={world.id_of(parameter, relation)}")
        transaction.set_rollback(True)
    return answer


@contextmanager
def restricted(world: World, relation: str) -> Iterator[None]:
    """The relation's organization, with all beneath it, works from other networks than that of the tests."""
    with transaction.atomic():
        SecurityPolicy.objects.create(organization=world.organizations[relation], allowed_networks=ELSEWHERE)
        yield
        transaction.set_rollback(True)


def is_refused_by_network(answer: Any) -> bool:
    """Plivo's refusals have no code, so there the words count."""
    body = body_of(answer)
    refused: bool = body.get("code") == NetworkNotAllowed.code or body.get("error") == NetworkNotAllowed.detail
    assert not refused or answer.status_code == 403
    return refused


def body_of(answer: Any) -> dict[str, Any]:
    """Empty if there is none, or it is a file."""
    return answer.json() if answer.headers.get("Content-Type") in JSON else {}


def path_of(world: World, route: str, relation: str) -> str:
    """The last name in the route is the relation's object; one before it is of our own."""
    path = "/" + route.replace("/*", "/")
    *ours, last = re.findall(r"\{\w+\}", path) or [""]
    for name in ours:
        path = path.replace(name, str(world.id_of(ROUTES[route].names, "own")))
    if not last:
        return path
    kind = ROUTES[route].names
    return path.replace(last, world.id_of(kind, relation) or NOBODYS[kind])


def may(entry: Route, method: str, credential: str) -> bool:
    needed = entry.scopes[method]
    role = "owner" if credential == "api_key" else credential
    return needed == "" or needed in scopes.BY_ROLE[role]


def without_its_id(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name not in ("request_id", "api_id")}


def test_every_route_has_an_entry_and_every_entry_its_methods() -> None:
    routes = discovered()
    assert set(routes) == set(ROUTES)
    for route, entry in ROUTES.items():
        assert entry.who == "open" or routes[route] == set(entry.scopes), route


def test_each_scope_of_a_platform_key_opens_a_route_for_it_and_no_other_scope_does() -> None:
    needed: dict[bool, set[str]] = {True: set(), False: set()}
    for entry in ROUTES.values():
        if entry.who in ("platform", "either", "tenant"):
            needed[entry.who == "tenant"].update(entry.scopes.values())
    assert needed[False] == scopes.GATEWAY | {scopes.provisioning(reads=True)}  # the books of all customers
    assert needed[False] | needed[True] - SECURITY | scopes.OF_COMPANY == scopes.PLATFORM


@pytest.mark.parametrize(("route", "method"), CALLS)
@ROOT
def test_without_a_credential_there_is_nothing(world: World, route: str, method: str) -> None:
    answer = call(world, route, method, "anonymous")
    assert answer.status_code == 401
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].who != "basic"])
@ROOT
def test_a_customer_may_do_what_the_role_may_and_nothing_else(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    for credential in CUSTOMERS:
        answer = usual(world, route, method, credential)
        code = body_of(answer).get("code", "")
        if entry.is_for_company(method):
            assert (answer.status_code, code) == (403, "platform_key_required"), credential
        elif may(entry, method, credential):
            has_one = not entry.names or world.id_of(entry.names, "own")
            assert answer.status_code not in ((401, 404) if has_one else (401,)), credential
            assert answer.status_code != 403 or code in {"billed_by_parent", *entry.refusals}, (credential, code)
        else:
            assert (answer.status_code, code) == (403, "insufficient_scope"), credential


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].who != "credential"])
@ROOT
def test_a_test_key_reads_and_changes_nothing_that_is_live(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    answer = call(world, route, method, "test_key")
    body = body_of(answer)
    refused = LiveKeyRequired.code in body.values() or LiveKeyRequired.detail in body.values()
    if entry.is_for_company(method):
        assert (answer.status_code, body["code"]) == (403, "platform_key_required")
    elif method == "get" or (route, method) == ("v1/account/api-keys", "post"):  # it makes test keys
        assert not refused
    else:
        assert (answer.status_code, refused) == (403, True)


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].who == "tenant"])
@ROOT
def test_a_platform_key_names_an_organization_and_needs_a_scope_for_that(world: World, route: str, method: str) -> None:
    """With the scope it may do in any organization what that one's own key may, but for the security policy."""
    entry = ROUTES[route]
    needed = {entry.scopes[method], scopes.provisioning(reads=method == "get")} - scopes.GATEWAY
    for named in ("", "own"):
        body = body_of(call(world, route, method, "platform_key", named=named))
        assert (body["code"], set(body["required_scopes"]) <= needed) == ("insufficient_scope", True)
    if entry.scopes[method] in SECURITY or (route, method) in EXPORTS:
        assert body_of(call(world, route, method, "backend", named="own"))["code"] == "insufficient_scope"
        return
    answer = call(world, route, method, "backend", named="own")
    assert answer.status_code not in ((401, 404) if not entry.names or world.id_of(entry.names, "own") else (401,))
    assert answer.status_code != 403 or body_of(answer)["code"] in {"billed_by_parent", *entry.refusals, *OF_PERSONS}
    unnamed = call(world, route, method, "backend")
    if entry.anywhere:
        assert unnamed.status_code < 300
    else:
        assert (unnamed.status_code, unnamed.json()["errors"][0]["pointer"]) == (400, "/organization")


@pytest.mark.parametrize(("route", "method"), [c for c in NAMED if c in TENANTS])
@ROOT
def test_an_organization_that_is_named_shows_its_own_objects_only(world: World, route: str, method: str) -> None:
    unknown = call(world, route, method, "backend", UNKNOWN, named="foreign")
    assert unknown.status_code == 404 or body_of(unknown)["code"] in {"insufficient_scope", "billed_by_parent"}
    assert without_its_id(call(world, route, method, "backend", "own", named="foreign")) == without_its_id(unknown)


@pytest.mark.parametrize(("route", "method"), [c for c in TENANTS if not ROUTES[c[0]].is_for_company(c[1])])
@MIDDLE
def test_a_request_names_its_own_organization_or_one_beneath_it(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    unknown = call(world, route, method, "api_key", named=UNKNOWN)
    assert unknown.status_code == 404
    for relation in world.organizations.keys() - SUBTREE:
        assert without_its_id(call(world, route, method, "api_key", named=relation)) == without_its_id(unknown)
    answer = call(world, route, method, "api_key", "child", named="child")
    has_one = not entry.names or (world.id_of(entry.names, "child") and "child" in entry.reach)
    has_one = has_one and not route.endswith("/move")  # the child can't name what is above it
    assert answer.status_code not in ((401, 404) if has_one else (401,))
    with restricted(world, "child"):
        assert is_refused_by_network(call(world, route, method, "api_key", "child", named="child"))


@pytest.mark.parametrize(("route", "method"), NAMED)
def test_what_is_out_of_reach_answers_as_what_does_not_exist(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    unknown = call(world, route, method, "api_key", UNKNOWN)
    assert unknown.status_code == 404 or unknown.json()["code"] == "billed_by_parent"
    for credential in STRONGEST[entry.who == "basic"]:
        for relation in world.organizations:
            if relation in entry.unsaid or world.id_of(entry.names, relation) is None:
                continue
            answer = call(world, route, method, credential, relation)
            if relation in entry.reach:
                assert answer.status_code not in (401, 404), (credential, relation)
                assert answer.status_code != 403 or answer.json().get("code", "") in entry.refusals, relation
            else:
                assert answer.status_code == unknown.status_code, (credential, relation)
                assert without_its_id(answer) == without_its_id(unknown)


def test_every_route_of_customers_takes_an_organization() -> None:
    taken = {call for call, names in parameters().items() if "organization" in names}
    customers = {call for call in TENANTS if not ROUTES[call[0]].is_for_company(call[1])}
    assert taken - customers == {(route, "post") for route in CORRECTIONS}
    assert customers <= taken


def test_every_parameter_that_names_a_key_has_an_entry() -> None:
    naming = {(route, "get") for route, entry in ROUTES.items() if "key" in entry.query}
    assert {call for call, names in parameters().items() if "key" in names} == naming


@pytest.mark.parametrize(("route", "parameter"), PARAMETERS)
def test_a_parameter_names_what_is_in_reach_and_nothing_else(world: World, route: str, parameter: str) -> None:
    for credential in ("owner", "api_key"):
        unknown = ask(world, route, parameter, credential, UNKNOWN)
        assert unknown.status_code in (400, 404)
        for relation in world.organizations:
            answer = ask(world, route, parameter, credential, relation)
            if relation in SUBTREE:
                assert answer.status_code == 200 or answer.json()["code"] == "billed_by_parent", (credential, relation)
            else:
                assert answer.status_code == unknown.status_code, (credential, relation)
                assert without_its_id(answer) == without_its_id(unknown)


@pytest.mark.parametrize(("route", "method"), NAMED)
@ROOT
def test_the_network_policy_of_what_the_path_names_counts(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    with restricted(world, "child"):
        for credential in STRONGEST[entry.who == "basic"]:
            for relation in sorted(entry.reach & world.organizations.keys()):
                answer = call(world, route, method, credential, relation)
                assert is_refused_by_network(answer) == (relation in ("child", "grandchild")), (credential, relation)
            if entry.who == "either":
                assert not is_refused_by_network(call(world, route, method, "platform_key", "grandchild"))


@pytest.mark.parametrize(("route", "parameter"), PARAMETERS)
@ROOT
def test_the_network_policy_of_what_a_parameter_names_counts(world: World, route: str, parameter: str) -> None:
    with restricted(world, "child"):
        for credential in ("owner", "api_key"):
            for relation in SUBTREE:
                answer = ask(world, route, parameter, credential, relation)
                assert is_refused_by_network(answer) == (relation != "own"), (credential, relation)


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].who not in ("platform", "credential")])
@ROOT
def test_the_network_policy_of_ones_own_organization_counts_everywhere(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    if entry.is_for_company(method):
        pytest.skip("networks don't bind the operator")
    assert not is_refused_by_network(usual(world, route, method, "api_key"))
    with restricted(world, "own"):
        assert is_refused_by_network(call(world, route, method, "api_key"))


@pytest.mark.parametrize(("route", "method"), CALLS)
def test_no_answer_names_what_is_another_organizations(world: World, route: str, method: str) -> None:
    entry = ROUTES[route]
    for credential in STRONGEST[entry.who == "basic"]:
        text = usual(world, route, method, credential).getvalue().decode(errors="replace")
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


STRICT = {
    "v1/account/security",
    "v1/credits/purchases",
    "v1/credits/holds",
    "v1/credits/holds/{id}/capture",
    "v1/credits/alerts",
    "v1/credits/auto-recharge",
    "v1/invoices/{id}/pay",
    "v1/organizations/{id}/budget",
    "v1/payment-methods",
    "v1/payment-methods/{id}",
    "v1/payment-methods/setup",
    "v1/sandbox/clock",
    "v1/subscriptions",
    "v1/subscriptions/{id}",
    "v1/subscriptions/clearance",
}


@pytest.mark.parametrize(("route", "method"), [c for c in CALLS if ROUTES[c[0]].bodies.get(c[1]) is not None])
@ROOT
def test_members_that_are_not_documented_change_nothing(world: World, route: str, method: str) -> None:
    """The same answer with them as without, and none of their values in it. Money and policies refuse them."""
    entry = ROUTES[route]
    if entry.is_for_company(method):
        pytest.skip("what the company sends names its organization")
    plain = usual(world, route, method, "api_key")
    smuggled = call(world, route, method, "api_key", more=SMUGGLED)
    if route in STRICT and smuggled.status_code not in (403, 404):
        assert smuggled.status_code == 400
        assert {error["pointer"] for error in smuggled.json()["errors"]} >= {"/balance", "/role"}
        return
    assert smuggled.status_code == plain.status_code
    assert "1000000" not in smuggled.content.decode()
    if isinstance(json.loads(plain.content or "null"), dict):
        assert set(plain.json()) == set(smuggled.json())
        assert plain.json().get("status") == smuggled.json().get("status")
