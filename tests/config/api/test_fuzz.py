"""Whatever is sent, no answer is a fault of ours."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from django.db import transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.models import Organization, User
from tests import factories
from tests.billing.api.plivo_client import basic
from tests.conftest import Api
from tests.hostile import JSON, RAW, SHARP, TEXT
from tests.isolation.routes import ROUTES, discovered
from tests.properties import EXHAUSTIVE

POSTS = sorted(route for route, methods in discovered().items() if "post" in methods)
GETS = sorted(route for route, methods in discovered().items() if "get" in methods)
NAMED = sorted(route for route in discovered() if "{" in route)
PARAMETERS = ["limit", "offset", "from", "to", "type", "period", "environment", "status", "search", "email", "role"]

MANY = 20 if EXHAUSTIVE else 1

bounded = settings(
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(Api().get("/v1/openapi.json").json())


@pytest.fixture
def names(schema: dict[str, Any], route: str) -> list[str]:
    """The members that a POST to the route takes; those of everything where it takes none."""
    body_schema = schema["paths"].get(f"/{route.rstrip('*')}", {}).get("post", {}).get("requestBody", {})
    return sorted(members(schema, body_schema) or members(schema, schema["paths"]))


def members(schema: dict[str, Any], part: Any) -> set[str]:
    """The names of all members of what a part of the schema refers to."""
    referred = [schema["components"]["schemas"][name] for name in set(re.findall(r"schemas/(\w+)", json.dumps(part)))]
    return {name for component in referred for name in {*component.get("properties", {}), *members(schema, component)}}


@st.composite
def bodies(draw: st.DrawFn, names: list[str], good: dict[str, Any]) -> str:
    """Anything at all, or a good body with one or two members that are not."""
    bad = st.dictionaries(st.sampled_from(names), JSON | st.dictionaries(st.sampled_from(names), JSON), max_size=2)
    body = {**good, **draw(bad)} if draw(st.integers(0, 4)) else draw(JSON)
    text = json.dumps(body)
    for number in RAW:
        text = text.replace(f'"@{number}@"', number)
    return text


@pytest.fixture(scope="module")
def alice(module_transaction: None) -> User:
    alice = factories.user("alice")
    assert alice.current_organization
    factories.card(alice.current_organization)
    factories.credit(alice.current_organization, 100)
    return alice


@pytest.fixture(scope="module")
def gateway(module_transaction: None) -> Api:
    return Api(factories.platform_key())


@pytest.fixture
def clients(api: Any, alice: User, gateway: Api, db: None) -> list[Any]:
    return [api(alice), gateway]


def good(route: str) -> dict[str, Any]:
    body = ROUTES[route].bodies.get("post") if route in ROUTES else None
    return body if isinstance(body, dict) else {}


def filled(route: str, organization: Organization) -> str:
    """The path, with the organization wherever something is named."""
    route = route.replace("{auth_id}", organization.auth_id)
    return "/" + re.sub(r"{\w+}", organization.public_id, route).rstrip("*")


@pytest.mark.parametrize("route", POSTS)
@settings(bounded, max_examples=3 * MANY)
@given(data=st.data(), key=st.none() | st.text(st.characters(min_codepoint=32, max_codepoint=126)))
def test_no_body_breaks_a_post(
    clients: list[Any], organization: Organization, names: list[str], route: str, data: Any, key: Any
) -> None:
    body = data.draw(bodies(names, good(route)))
    headers = {} if key is None else {"idempotency_key": key}
    for client in clients:
        with transaction.atomic():
            response = client.post(filled(route, organization), body, **headers)
            transaction.set_rollback(True)
        assert response.status_code < 500


@pytest.mark.parametrize("route", GETS)
@settings(bounded, max_examples=2 * MANY)
@given(data=st.data())
def test_no_query_breaks_a_get(
    clients: list[Any], organization: Organization, schema: dict[str, Any], route: str, data: Any
) -> None:
    names = st.sampled_from(own_parameters(schema, route) or PARAMETERS)
    query = data.draw(st.dictionaries(names, TEXT | st.sampled_from(SHARP), max_size=3))
    encoded = urlencode({name: text.encode("utf-8", "surrogatepass") for name, text in query.items()})
    assert clients[0].get(f"{filled(route, organization)}?{encoded}").status_code < 500


# As they are percent-encoded: the halves of a surrogate pair, what is no UTF-8 at all, and an emoji.
ODD = ["%00", "a%00b", "%ED%A0%80", "%FF%FE", "%F0%9F%92%A5", "x" * 5000, "9" * 400, "-1", "%D9%A1", ""]


def own_parameters(schema: dict[str, Any], route: str) -> list[str]:
    parameters = schema["paths"].get(f"/{route.rstrip('*')}", {}).get("get", {}).get("parameters", [])
    return sorted({parameter["name"] for parameter in parameters if parameter["in"] == "query"})


def odd_queries(schema: dict[str, Any], route: str) -> Iterator[str]:
    """Each parameter of the route with each odd value.

    What many lists have in common, such as `limit`, is read by the same code. Of those each route takes two values, and
    the routes together all of them. Of the others it takes half, unless EXHAUSTIVE is set.
    """
    uses = Counter(name for path in GETS for name in own_parameters(schema, path))
    turn = 2 * GETS.index(route)
    for name in own_parameters(schema, route):
        tried = len(ODD) if EXHAUSTIVE else 2 if uses[name] > len(ODD) else len(ODD) // 2
        yield from (f"{name}={ODD[(turn + step) % len(ODD)]}" for step in range(tried))


@pytest.mark.parametrize("route", GETS)
def test_no_odd_parameter_of_its_own_breaks_a_get(
    clients: list[Any], organization: Organization, schema: dict[str, Any], route: str
) -> None:
    """Each alone, beside the organization that a platform key names. Who may not call the route gets no further.

    The clients take turns, unless EXHAUSTIVE is set.
    """
    path, named = filled(route, organization), "organization" in own_parameters(schema, route)
    admitted = [client for client in clients if client.get(path).status_code not in (401, 403)]
    broken = []
    for turn, query in enumerate(odd_queries(schema, route)):
        beside = f"&organization={organization.public_id}" if named and not query.startswith("organization=") else ""
        for client in admitted if EXHAUSTIVE or not admitted else [admitted[turn % len(admitted)]]:
            with transaction.atomic():
                if client.get(f"{path}?{query}{beside}").status_code >= 500:
                    broken.append(query)
                transaction.set_rollback(True)
    assert broken == []


@pytest.fixture
def plivo(alice: User, organization: Organization) -> Api:
    fields: dict[str, Any] = {"created_by": alice, "permissions": ["account:read"]}
    return basic(organization.auth_id, factories.key(organization, **fields)[1])


@pytest.mark.parametrize("route", NAMED)
@settings(bounded, max_examples=3 * MANY)
@example(name="\0")
@given(name=TEXT | st.sampled_from(SHARP))
def test_no_id_breaks_a_path(clients: list[Any], plivo: Api, organization: Organization, route: str, name: str) -> None:
    above, _, named = route.rpartition("{")
    strange = quote(name.encode("utf-8", "surrogatepass"), safe="")
    path = filled(above, organization) + strange + named.partition("}")[2].rstrip("*")
    for client in [plivo] if "{auth_id}" in route else clients:
        assert client.get(path).status_code < 500


@settings(bounded, max_examples=20)
@given(credential=st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=60))
def test_no_credential_breaks_anything(db: None, credential: str) -> None:
    for prefix in ("", "sk_live_", "eyJhbGciOiJSUzI1NiJ9."):
        assert Api(prefix + credential).get("/v1/whoami").status_code == 401
