"""Every parameter of every list and report: an unknown value is a 400 that names it, never an unfiltered answer."""

from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator

from tests import factories

WORDS = {"email", "endpoint", "reference", "search", "type"}  # any text may be looked for, and is found nowhere
NAMES = {"organization"}  # 404, like any other object that is not there
PARAMETERS = [
    (path, parameter["name"], parameter["schema"])
    for path, methods in SchemaGenerator().get_schema(request=None, public=True)["paths"].items()  # type: ignore[no-untyped-call]
    for parameter in methods.get("get", {}).get("parameters", ())
    if parameter["in"] == "query" and not path.startswith("/v1/Account/") and path != "/v1/invitations/accept"
]
BOOLEANS = [(path, name) for path, name, schema in PARAMETERS if schema["type"] == "boolean"]


@pytest.fixture
def client(api: Any, alice: Any, organization: Any) -> Any:
    factories.billing_account(organization)
    return api(alice)


EMPTY = {("/v1/usage", "endpoint")}  # events without an endpoint


@pytest.mark.parametrize(("path", "name"), [(p, n) for p, n, _ in PARAMETERS if (p, n) not in EMPTY])
def test_an_empty_value_is_refused(client: Any, path: str, name: str) -> None:
    answer = client.get(f"{path}?{name}=")
    assert answer.status_code == (404 if name in NAMES and path != "/v1/usage" else 400)
    if answer.status_code == 400:
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]


@pytest.mark.parametrize(("path", "name", "schema"), PARAMETERS)
@pytest.mark.parametrize("value", ["nonsense", "%00", "1795081512345"])
def test_an_unknown_value_is_refused(client: Any, path: str, name: str, schema: Any, value: str) -> None:
    answer = client.get(f"{path}?{name}={value}")
    if name == "created_by" and value.isdigit():  # whoever that may be, they made no key
        assert answer.json()["results"] == []
    elif value != "%00" and (name in WORDS and "enum" not in schema):
        assert answer.status_code == 200
    elif answer.status_code == 400:
        assert [error["pointer"] for error in answer.json()["errors"]] == [f"/{name}"]
    else:
        assert (answer.status_code, name in NAMES) == (404, True)


@pytest.mark.parametrize(("path", "name"), BOOLEANS)
@pytest.mark.parametrize("value", ["1", "0", "True", "FALSE", "yes", "on", "null"])
def test_a_boolean_is_true_or_false(client: Any, path: str, name: str, value: str) -> None:
    assert client.get(f"{path}?{name}={value}").status_code == 400


def test_there_are_booleans_and_each_is_taken(client: Any) -> None:
    assert ("/v1/credits/grants", "spent") in BOOLEANS
    for path, name in BOOLEANS:
        assert [client.get(f"{path}?{name}={value}").status_code for value in ("true", "false")] == [200, 200]
