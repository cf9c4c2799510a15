"""The company's backend makes keys for its customers, and never one that holds more than somebody there."""

from decimal import Decimal
from typing import Any

import pytest

from accounts.models import Event, Organization, User
from apikeys import keys
from apikeys.models import ApiKey
from tests import factories
from tests.conftest import Api

PATH = "/v1/account/api-keys"


@pytest.fixture
def path(organization: Organization) -> str:
    return f"{PATH}?organization={organization.public_id}"


@pytest.fixture
def service_account(backend: Api, organization: Organization) -> str:
    """A developer without a sign-in."""
    body = {"name": "Deployment", "role": "developer"}
    made = backend.post(f"/v1/service-accounts?organization={organization.public_id}", body)
    assert (made.status_code, made.json()["responsible"]) == (201, None)
    return str(made.json()["id"])


def test_a_key_for_the_companys_own_product(backend: Api, gateway: Api, organization: Organization, path: str) -> None:
    body = {"name": "Production", "permissions": ["messaging:send"], "monthly_budget": 50}
    made = backend.post(path, body).json()
    key = ApiKey.objects.get(public_id=made["key_id"])
    assert (key.organization, key.created_by_id, key.monthly_budget) == (organization, None, Decimal(50))
    verdict = gateway.post("/v1/keys/verify", {"key": made["api_key"], "permission": "messaging:send"}).json()
    assert (verdict["code"], verdict["organization"]) == ("VALID", organization.public_id)
    created = Event.objects.get(type="api_key.created", organization=organization, actor__kind="platform_key")
    assert created.data["api_key"] == made["key_id"]


def test_a_key_with_scopes_is_a_service_accounts(
    backend: Api, api: Any, organization: Organization, path: str, service_account: str
) -> None:
    body = {"name": "Deployment", "permissions": ["keys:read"]}
    answer = backend.post(path, body)
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/permissions")
    excess = backend.post(path, {**body, "service_account": service_account, "permissions": ["billing:write"]})
    assert (excess.status_code, excess.json()["errors"][0]["pointer"]) == (400, "/permissions")
    assert not ApiKey.objects.of(organization).exists()
    made = backend.post(path, {**body, "service_account": service_account}).json()
    assert api(made["api_key"]).get(PATH).json()["results"][0]["key_id"] == made["key_id"]


def test_a_retry_makes_no_second_and_shows_no_secret(backend: Api, organization: Organization, path: str) -> None:
    first = backend.post(path, {"name": "Production"}, idempotency_key="once").json()
    again = backend.post(path, {"name": "Production"}, idempotency_key="once")
    assert again.json() == {**first, "api_key": None}
    other = f"{PATH}?organization={factories.organization().public_id}"
    assert backend.post(other, {"name": "Production"}, idempotency_key="once").status_code == 201
    assert ApiKey.objects.of(organization).count() == 1


def test_the_bounds_of_the_platform_key_are_its_own(organization: Organization, path: str) -> None:
    scopes = ["keys:write", "provisioning:write"]
    _, secret = keys.create_platform("backend", scopes, allowed_cidrs=["127.0.0.1/32"], monthly_budget=1)
    made = Api(secret).post(path, {"name": "Production"}).json()
    key = ApiKey.objects.get(public_id=made["key_id"])
    assert (key.allowed_cidrs, key.monthly_budget) == ([], None)


def test_keys_are_changed_rotated_and_revoked(backend: Api, organization: Organization, path: str, alice: User) -> None:
    key, _ = factories.key(organization, created_by=alice, permissions=["messaging:send", "keys:read"])
    changed = f"{PATH}/{key.public_id}?organization={organization.public_id}"
    assert backend.patch(changed, {"enabled": False, "monthly_budget": 5}).json()["status"] == "disabled"
    rotate = f"{PATH}/{key.public_id}/rotate?organization={organization.public_id}"
    assert backend.post(rotate, {"overlap_seconds": 0}).json()["api_key"].startswith("sk_live_")
    assert backend.delete(changed).status_code == 204
    types = Event.objects.filter(organization=organization, actor__kind="platform_key").order_by("id")
    assert [event.type for event in types] == ["api_key.changed", "api_key.rotated", "api_key.revoked"]


def test_the_secret_of_a_key_that_may_do_more_is_not_given_out(
    backend: Api, organization: Organization, alice: User
) -> None:
    key, _ = factories.key(organization, created_by=alice, permissions=["security:write"])
    answer = backend.post(f"{PATH}/{key.public_id}/rotate?organization={organization.public_id}", {})
    assert (answer.status_code, answer.json()["required_scopes"]) == (403, ["security:write"])
    assert key.secrets.count() == 1


def test_the_longest_life_of_keys_binds_the_company(backend: Api, api: Any, alice: User, path: str) -> None:
    assert api(alice).patch("/v1/account/security", {"longest_key_life_days": 30}).status_code == 200
    answer = backend.post(path, {"name": "Production", "expires_at": "2100-01-01"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/expires_at")
    assert backend.post(path, {"name": "Production"}).json()["expires_at"]
