"""Every parameter of every list and report: an unknown value is a 400 that names it, never an unfiltered answer."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests import factories

WORDS = {
    "actor",
    "email",
    "endpoint",
    "external_id",
    "q",
    "reference",
    "search",
    "target",
}  # any text may be looked for, and is found nowhere
NUMBERS = {"after", "created_by"}  # a number that nothing has is one that nothing is found for
IDS = {("/v1/payments", "after"), ("/v1/invoices", "after")}  # the object has to be in the list
NAMES = {"organization"}  # 404, like any other object that is not there
EMPTY = {("/v1/usage", "endpoint")}  # events without an endpoint
PARAMETERS: dict[str, dict[str, Any]] = {
    path: {parameter["name"]: parameter["schema"] for parameter in parameters if parameter["in"] == "query"}
    for path, methods in SchemaGenerator().get_schema(request=None, public=True)["paths"].items()  # type: ignore[no-untyped-call]
    if (parameters := methods.get("get", {}).get("parameters"))
    and not path.startswith("/v1/Account/")
    and path != "/v1/invitations/accept"
    and "{" not in path  # of an object that has to be there: tests/accounts/webhooks/test_endpoints.py
}
OF_THE_COMPANY = {"/v1/finance-packages"}
LISTS = [path for path, parameters in PARAMETERS.items() if parameters]
BOOLEANS = [(path, name) for path in LISTS for name, schema in PARAMETERS[path].items() if schema["type"] == "boolean"]


@pytest.fixture
def client(api: Any, alice: Any, organization: Any) -> Any:
    factories.billing_account(organization)
    return api(alice)


@pytest.fixture
def reader(client: Any, api: Any, path: str) -> Any:
    """Alice, or the company where a list is its own."""
    return api(factories.backend_key()) if path in OF_THE_COMPANY else client


def is_named(answer: Any, name: str) -> bool:
    """Whether the answer refuses just this parameter."""
    if answer.status_code == 404:
        return name in NAMES
    return answer.status_code == 400 and [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize("path", LISTS)
def test_an_empty_value_is_refused(reader: Any, path: str) -> None:
    for name in PARAMETERS[path]:
        if (path, name) not in EMPTY:
            assert is_named(reader.get(f"{path}?{name}="), name), name


@pytest.mark.parametrize("value", ["nonsense", "%00", "1795081512345"])
@pytest.mark.parametrize("path", LISTS)
def test_an_unknown_value_is_refused(reader: Any, path: str, value: str) -> None:
    for name, schema in PARAMETERS[path].items():
        answer = reader.get(f"{path}?{name}={value}")
        is_word = name in WORDS and "enum" not in schema and value != "%00"
        is_number = name in NUMBERS and (path, name) not in IDS and value.isdigit()
        if is_word or is_number:
            assert answer.status_code == 200, name
        else:
            assert is_named(answer, name), name


@pytest.mark.parametrize("value", ["1", "0", "True", "FALSE", "yes", "on", "null"])
def test_a_boolean_is_true_or_false(client: Any, value: str) -> None:
    for path, name in BOOLEANS:
        assert is_named(client.get(f"{path}?{name}={value}"), name)


def test_there_are_booleans_and_each_is_taken(client: Any) -> None:
    assert ("/v1/credits/grants", "spent") in BOOLEANS
    for path, name in BOOLEANS:
        assert [client.get(f"{path}?{name}={value}").status_code for value in ("true", "false")] == [200, 200]
