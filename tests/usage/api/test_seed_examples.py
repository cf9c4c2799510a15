"""The OpenAPI schema carries the examples of the references themselves, and they fit it."""

from typing import Any

import jsonschema
import pytest

SEED_000_DETAILS = {
    "account_id": "acct_1234567890",
    "account_name": "Example Corp",
    "created_at": "2022-01-15T08:30:00Z",
    "plan": "professional",
    "status": "active",
    "usage": {
        "sms": {"current": 4500, "limit": 10000, "period": "monthly"},
        "voice": {"current": 1200, "limit": 5000, "period": "monthly"},
    },
    "billing": {"next_billing_date": "2023-08-01T00:00:00Z", "currency": "USD", "automatic_payments": True},
}
SEED_000_KEY_REQUEST = {
    "name": "Integration API Key",
    "permissions": ["messaging:send", "voice:call", "analytics:read"],
    "expires_at": "2024-01-01T00:00:00Z",
    "description": "API key for production integration",
}
SEED_000_KEY = {
    "key_id": "key_1234567890abcdef",
    "api_key": "sk_live_6a7b8c9d0e1f2g3h4i5j6k7l8m9n0o",
    "name": "Integration API Key",
    "created_at": "2023-07-15T10:30:00Z",
    "expires_at": "2024-01-01T00:00:00Z",
    "permissions": ["messaging:send", "voice:call", "analytics:read"],
}
SEED_001_ACCOUNT = {
    "account_type": "standard",
    "address": "Wayne Enterprises Inc.",
    "api_id": "150892a0-922a-11e7-b6f4-061564b78b75",
    "auth_id": "MA2025RK4E639VJFZAGV",
    "auto_recharge": False,
    "billing_mode": "prepaid",
    "cash_credits": "1.80900",
    "city": "Gotham",
    "name": "Bruce Wayne",
    "resource_uri": "/v1/Account/MA2025RK4E639VJFZAGV/",
    "state": "NY",
    "timezone": "America/New_York",
}
SEED_001_CHANGED = {"api_id": "02bbdbaa-9303-11e7-8bc8-065f6a74a84a", "message": "changed"}
SEED_002_ADDRESS = {"city": "", "country": "AU", "line1": "", "line2": "", "postal_code": "", "state": ""}
SEED_002_NEW = {"name": "Hannes Kruger", "email": "hannes@mikrocloud.com", "address": {"country": "AU"}}
SEED_002_ACCOUNT = {
    "id": "cus_OdMmvWHZ8Y2rEH",
    "name": "Hannes Kruger",
    "email": "hannes@mikrocloud.com",
    "currency": "USD",
    "balance": 0,
    "address": SEED_002_ADDRESS,
    "created_at": "2023-09-14 03:16:36",
}
SEED_002_CHANGES = {
    "name": "Hannes Kruger",
    "email": "hkruger@mikrocloud.com",
    "address": {
        "city": "Melbourne",
        "country": "AU",
        "line1": "123 Mikro St",
        "line2": "Apt 4B",
        "postal_code": "3000",
        "state": "VIC",
    },
}
SEED_002_NONE = {
    "message": "You need to create an account first",
    "documentation_url": "https://docs.mikrocloud.com/api/accounts#create-an-account",
}

PLIVO = "/v1/Account/{auth_id}/"
EXAMPLES: list[tuple[str, str, str, Any]] = [
    ("/v1/account/details", "get", "200", SEED_000_DETAILS),
    ("/v1/account/api-keys", "post", "", SEED_000_KEY_REQUEST),
    ("/v1/account/api-keys", "post", "201", SEED_000_KEY),
    (PLIVO, "get", "200", SEED_001_ACCOUNT),
    (PLIVO, "post", "", {"name": "Lucius Fox", "city": "New York", "address": "Times Square"}),
    (PLIVO, "post", "202", SEED_001_CHANGED),
    ("/v1/account", "get", "200", SEED_002_ACCOUNT),
    ("/v1/account", "get", "422", SEED_002_NONE),
    ("/v1/account", "post", "", SEED_002_NEW),
    ("/v1/account", "post", "201", {**SEED_002_ACCOUNT, "currency": ""}),
    ("/v1/account", "put", "", SEED_002_CHANGES),
    ("/v1/account", "put", "200", {**SEED_002_ACCOUNT, **SEED_002_CHANGES}),
]


@pytest.fixture(scope="module")
def schema() -> Any:
    from drf_spectacular.generators import SchemaGenerator

    return SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]


@pytest.mark.parametrize(("path", "verb", "status", "example"), EXAMPLES)
def test_the_schema_has_the_references_example(schema: Any, path: str, verb: str, status: str, example: Any) -> None:
    operation = schema["paths"][path][verb]
    part = operation["responses"][status] if status else operation["requestBody"]
    media = part["content"]["application/json"]
    assert example in [shown["value"] for shown in media["examples"].values()]
    jsonschema.validate(example, {**media["schema"], "components": schema["components"]})


@pytest.mark.parametrize("path", [PLIVO, f"{PLIVO}Subaccount/", f"{PLIVO}Subaccount/{{subauth_id}}/"])
def test_plivos_endpoints_take_basic_alone(schema: Any, path: str) -> None:
    assert schema["paths"][path]["get"]["security"] == [{"basic": []}]
