"""Answers about holds, leases, grants and corrections have the documented shape."""

from typing import Any

import pytest

from accounts.models import Organization, User
from tests.config.test_schema import conforms
from tests.conftest import Api


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return dict(Api().get("/v1/openapi.json").json())


def checked(
    schema: dict[str, Any], client: Api, verb: str, path: str, status: int, body: Any = None, id: Any = ""
) -> Any:
    """The answer's body, after it was compared with what is documented for the path."""
    answer = getattr(client, verb)(path.replace("{id}", str(id)), body)
    assert answer.status_code == status
    conforms(schema, verb, path, answer)
    return answer.json()


def test_holds(schema: dict[str, Any], api: Any, alice: User, funded: Organization) -> None:
    client, path = api(alice), "/v1/credits/holds"
    held = [checked(schema, client, "post", path, 201, {"amount": 1})["id"] for _ in range(2)]
    checked(schema, client, "post", path, 402, {"amount": 1000})
    checked(schema, client, "post", path, 400, {"amount": -1})
    checked(schema, client, "post", path, 404, {"amount": 1, "organization": "acct_0000000000000000"})
    checked(schema, client, "post", path + "/{id}/capture", 200, {"amount": 2}, held[0])
    checked(schema, client, "post", path + "/{id}/capture", 409, {}, held[0])
    checked(schema, client, "post", path + "/{id}/release", 200, {}, held[1])
    checked(schema, client, "post", path + "/{id}/release", 404, {}, "hold_0")
    checked(schema, client, "get", path, 200)
    checked(schema, client, "get", path + "/{id}", 200, None, held[0])


def test_leases(schema: dict[str, Any], gateway: Api, api: Any, alice: User, funded: Organization) -> None:
    path, body = "/v1/credits/leases", {"organization": funded.public_id, "amount": 1}
    lease = checked(schema, gateway, "post", path, 201, body)["id"]
    checked(schema, gateway, "post", path, 402, {**body, "amount": 1000})
    checked(schema, gateway, "post", path + "/{id}/extend", 200, {"amount": 1}, lease)
    checked(schema, gateway, "post", path + "/{id}/extend", 402, {"amount": 1000}, lease)
    checked(schema, gateway, "post", path + "/{id}/return", 200, {}, lease)
    checked(schema, gateway, "post", path + "/{id}/extend", 409, {}, lease)
    checked(schema, api(alice), "post", path, 403, body)
    checked(schema, api(alice), "get", path, 200)
    checked(schema, api(alice), "get", path + "/{id}", 200, None, lease)


def test_grants_and_corrections(
    schema: dict[str, Any], gateway: Api, api: Any, alice: User, funded: Organization
) -> None:
    organization = {"organization": funded.public_id}
    grant, reversal = {**organization, "amount": 1}, {**organization, "reason": "Sorry"}
    body = {**grant, "reason": "Sorry"}
    checked(schema, gateway, "post", "/v1/credits/grants", 201, grant)
    checked(schema, gateway, "post", "/v1/credits/adjustments", 201, body)
    checked(schema, gateway, "post", "/v1/ledger/{id}/reverse", 201, reversal, 1)
    checked(schema, gateway, "post", "/v1/ledger/{id}/reverse", 409, reversal, 1)
    checked(schema, gateway, "get", "/v1/credits/grants", 400)
    checked(schema, api(alice), "get", "/v1/credits/grants", 200)
    checked(schema, api(alice), "post", "/v1/credits/adjustments", 403, body)
