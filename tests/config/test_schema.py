"""GET /v1/openapi.json: valid, complete, and true."""

import re
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from accounts import people
from accounts.models import Organization, User
from tests import factories
from tests.conftest import Api
from tests.isolation.routes import discovered

PROBLEM = "application/problem+json"
# Plivo's API has errors of its own.
PLIVO = "/v1/Account/"


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(Api().get("/v1/openapi.json").json())


@pytest.fixture(scope="module")
def operations(schema: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(method, path): operation for path, item in schema["paths"].items() for method, operation in item.items()}


def ours(operations: dict[tuple[str, str], Any]) -> Iterator[tuple[str, str, Any]]:
    yield from (
        (method, path, operation) for (method, path), operation in operations.items() if not path.startswith(PLIVO)
    )


def test_it_is_a_valid_document(schema: dict[str, Any]) -> None:
    assert schema["openapi"].startswith("3.1")
    validate(schema)


def test_it_is_made_without_a_warning() -> None:
    call_command("spectacular", fail_on_warn=True, stdout=StringIO())


def numbers_in(node: Any) -> Iterator[dict[str, Any]]:
    """The schemas of numbers, at any depth."""
    if isinstance(node, dict):
        if "number" in node.get("type", ()):
            yield node
        node = list(node.values())
    for child in node if isinstance(node, list) else ():
        yield from numbers_in(child)


def test_amounts_are_decimals_and_nothing_is_a_double(schema: dict[str, Any]) -> None:
    """A double has 15 to 17 digits; an amount has up to 24."""
    formats = Counter(number.get("format") for number in numbers_in(schema))
    assert formats.keys() == {"decimal"}
    assert formats["decimal"] > 40


def test_every_route_of_the_url_configuration_is_in_it(operations: dict[tuple[str, str], Any]) -> None:
    wanted = {(verb, f"/{route}".rstrip("/*")) for route, verbs in discovered().items() for verb in verbs}
    assert wanted - {("get", "/v1/openapi.json")} == {(verb, path.rstrip("/")) for verb, path in operations}


def test_operation_ids_are_neat_and_each_is_there_once(operations: dict[tuple[str, str], Any]) -> None:
    names = Counter(operation["operationId"] for operation in operations.values())
    assert not [name for name, count in names.items() if count > 1]
    assert not [name for name in names if not re.fullmatch(r"[a-z]+(_[a-z]+)*", name)]


def test_every_operation_says_what_it_does_and_has_a_tag(operations: dict[tuple[str, str], Any]) -> None:
    assert not [key for key, operation in operations.items() if not operation.get("description")]
    assert not [key for key, operation in operations.items() if len(operation["tags"]) != 1]


def test_every_operation_documents_that_a_part_may_be_down(operations: dict[tuple[str, str], Any]) -> None:
    assert not [path for _, path, operation in ours(operations) if "503" not in operation["responses"]]


def test_every_operation_that_needs_a_credential_documents_its_refusals(
    operations: dict[tuple[str, str], Any],
) -> None:
    secured = [
        (path, operation["responses"].keys())
        for _, path, operation in ours(operations)
        if {} not in operation["security"]
    ]
    assert len(secured) > 20
    assert not [path for path, responses in secured if not {"401", "403", "429"} <= responses]


def test_every_operation_with_a_body_documents_what_may_be_wrong_with_it(
    operations: dict[tuple[str, str], Any],
) -> None:
    with_body = [
        (path, operation["responses"].keys()) for _, path, operation in ours(operations) if "requestBody" in operation
    ]
    assert len(with_body) > 10
    assert not [path for path, responses in with_body if not {"400", "413", "415"} <= responses]


def test_every_operation_on_an_object_documents_that_there_may_be_none(
    operations: dict[tuple[str, str], Any],
) -> None:
    assert not [path for _, path, operation in ours(operations) if "{" in path and "404" not in operation["responses"]]


def test_errors_are_problem_documents(operations: dict[tuple[str, str], Any]) -> None:
    """Two answers are not, since they are documented so: the account that is missing, and the declined payment."""
    others = {
        (path, status)
        for _, path, operation in ours(operations)
        for status, answer in operation["responses"].items()
        if status >= "400" and list(answer["content"]) != [PROBLEM]
    }
    declined = {("/v1/credits/purchases", "402"), ("/v1/invoices/{id}/pay", "402")}
    assert others == {("/v1/account", "422"), *declined}


def test_what_creates_something_takes_an_idempotency_key(operations: dict[tuple[str, str], Any]) -> None:
    taking = {path for _, path, operation in ours(operations) if "Idempotency-Key" in str(operation.get("parameters"))}
    assert taking >= {"/v1/organizations", "/v1/account", "/v1/account/api-keys", "/v1/credits/purchases"}
    assert not taking & {"/v1/auth/token", "/v1/auth/switch", "/v1/whoami"}


def conforms(schema: dict[str, Any], verb: str, path: str, response: Any) -> None:
    """The status is documented, and the body has the documented form, with no member that is not there."""
    documented = schema["paths"][path][verb]["responses"][str(response.status_code)]
    if not response.content:
        assert "content" not in documented
        return
    form = documented["content"][response.headers["Content-Type"]]["schema"]
    Draft202012Validator({**form, "components": schema["components"]}).validate(response.json())
    if "$ref" in form:
        named = schema["components"]["schemas"][form["$ref"].rpartition("/")[2]]
        if not response.headers["Content-Type"].startswith("application/problem"):
            assert response.json().keys() <= named["properties"].keys()


WRITES = [
    ("post", "/v1/organizations", {"name": "Child"}, 201),
    ("put", "/v1/account", {"name": "New name"}, 200),
    ("patch", "/v1/account", {"address": {"city": "Oslo"}}, 200),
    ("post", "/v1/payment-methods", {"gateway_token": "pm_card_visa"}, 201),
    ("post", "/v1/credits/purchases", {"amount": 25}, 201),
    ("post", "/v1/account/api-keys", {"name": "Key", "permissions": ["messaging:send"]}, 201),
    ("post", "/v1/account", {"name": "A", "email": "a@example.com", "address": {"country": "US"}}, 409),
    ("post", "/v1/organizations", {"name": ""}, 400),
    ("post", "/v1/credits/purchases", {"amount": "much"}, 400),
    ("post", "/v1/auth/switch", {"organization": "acct_0000000000000000"}, 404),
]
READS = [
    "/v1/whoami",
    "/v1/organizations",
    "/v1/account",
    "/v1/account/api-keys",
    "/v1/payment-methods",
    "/v1/payments",
    "/v1/credits/auto-recharge",
    "/v1/plans",
    "/v1/meters",
    "/auth/account/credits",
    "/auth/account/ledger",
    "/auth/account/usage",
    "/auth/account/summary",
    "/.well-known/jwks.json",
]


@pytest.fixture
def stocked(api: Any, alice: User, organization: Organization) -> Any:
    """Alice's client; her organization has one of everything."""
    factories.card(organization)
    factories.credit(organization, 100)
    factories.key(organization, created_by=alice)
    return api(alice)


@pytest.mark.parametrize("path", READS)
def test_what_is_read_has_the_documented_form(schema: dict[str, Any], stocked: Any, path: str) -> None:
    response = stocked.get(path)
    assert response.status_code == 200
    conforms(schema, "get", path, response)


@pytest.mark.parametrize(("verb", "path", "body", "status"), WRITES)
def test_what_is_written_is_answered_in_the_documented_form(
    schema: dict[str, Any], stocked: Any, verb: str, path: str, body: Any, status: int
) -> None:
    response = getattr(stocked, verb)(path, body)
    assert response.status_code == status
    conforms(schema, verb, path, response)


def test_signing_up_in_and_on_is_answered_in_the_documented_form(
    schema: dict[str, Any], anonymous: Any, db: None
) -> None:
    person = {"email": "dora@example.com", "password": factories.PASSWORD}
    for path, body, status in (
        ("/v1/auth/signup", person, 201),
        ("/v1/auth/signup", person, 409),
        ("/v1/auth/token", person, 200),
        ("/v1/auth/token", {**person, "password": "wrong"}, 401),
        ("/v1/auth/token/refresh", {"refresh": "rt_wrong"}, 401),
        ("/v1/auth/token/revoke", {"refresh": "rt_wrong"}, 204),
    ):
        response = anonymous.post(path, body)
        assert response.status_code == status
        conforms(schema, "post", path, response)


def test_the_gateways_doors_answer_in_the_documented_form(
    schema: dict[str, Any], gateway: Any, organization: Organization
) -> None:
    event = {"id": "e", "organization": organization.public_id, "meter": "sms"}
    _, secret = factories.key(organization)
    for path, body in (
        ("/v1/usage/events", {"events": [event, {}]}),
        ("/v1/usage/events", event),
        ("/v1/keys/verify", {"key": secret, "meter": "sms"}),
        ("/v1/keys/verify", {"key": "sk_live_unknown"}),
        ("/v1/keys/verify", {"key": secret, "meter": "sms", "hold_seconds": 60}),
        ("/v1/keys/verify", {"key": secret, "hold_seconds": 0}),
        ("/v1/keys/verify/batch", {"calls": [{"key": secret, "meter": "sms"}, {"key": "sk_live_unknown"}]}),
    ):
        conforms(schema, "post", path, gateway.post(path, body))


def test_refusals_have_the_documented_form(schema: dict[str, Any], api: Any, alice: User, anonymous: Any) -> None:
    people.switch(alice, people.add_child(alice.current_organization or Organization(), name="Child"))
    for client, path, status in (
        (api(alice), "/auth/account/credits", 403),
        (api(alice), "/v1/account", 403),
        (anonymous, "/v1/whoami", 401),
        (api(alice), "/auth/account/usage", 400),
    ):
        response = client.get(path + ("?period=x" if status == 400 else ""))
        assert response.status_code == status
        conforms(schema, "get", path, response)


def test_it_and_its_page_are_open_to_anyone(anonymous: Any, db: None) -> None:
    assert anonymous.get("/v1/openapi.json").status_code == 200
    page = anonymous.get("/docs")
    assert page.status_code == 200
    assert "//" not in re.sub(r"https?://testserver", "", page.headers["Content-Security-Policy"])
    assert not re.search(r"""(src|href)=["'](https?:)?//""", page.content.decode())


def test_it_is_made_once(anonymous: Any, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    first = anonymous.get("/v1/openapi.json").content

    def make(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("it is made again")

    monkeypatch.setattr(SchemaGenerator, "get_schema", make)
    assert anonymous.get("/v1/openapi.json").content == first
