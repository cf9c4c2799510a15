"""A key of another system works as it did there: it is known by the SHA-256 of its secret."""

import base64
import hashlib
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.models import Organization
from apikeys import keys
from apikeys.models import ApiKey, ApiKeySecret
from tests import factories
from tests.conftest import Api

SECRET = "SG.3ZkQ8-vmT.pLw_9"
HASH = hashlib.sha256(SECRET.encode()).digest()


@pytest.fixture
def imported(organization: Organization) -> ApiKey:
    return keys.adopt(organization, sha256=HASH, hint="SG.3Z…", name="Billing", permissions=["messaging:send"])


def statements(gateway: Api, secret: str) -> list[str]:
    gateway.post("/v1/keys/verify", {"key": secret})  # notes the use
    with CaptureQueriesContext(connection) as captured:
        assert gateway.post("/v1/keys/verify", {"key": secret}).json()["valid"]
    return [query["sql"] for query in captured.captured_queries]


def test_the_gate_knows_it(gateway: Api, imported: ApiKey) -> None:
    answer = gateway.post("/v1/keys/verify", {"key": SECRET, "permission": "messaging:send"}).json()
    assert (answer["code"], answer["key_id"]) == ("VALID", imported.public_id)
    batch = gateway.post("/v1/keys/verify/batch", {"calls": [{"key": SECRET}, {"key": f"{SECRET}x"}]}).json()
    assert [result["code"] for result in batch["results"]] == ["VALID", "NOT_FOUND"]
    door = gateway.get("/v1/gate/authorize", x_api_key=SECRET)
    assert (door.status_code, door["X-Tollgate-Key-Id"]) == (200, imported.public_id)


def test_it_takes_the_gate_no_more_statements_than_a_key_of_ours(
    gateway: Api, organization: Organization, imported: ApiKey
) -> None:
    _, ours = factories.key(organization)
    assert len(statements(gateway, SECRET)) == len(statements(gateway, ours))


def test_it_opens_the_api(api: Any, imported: ApiKey) -> None:
    assert api(SECRET).get("/v1/whoami").status_code == 200
    basic = base64.b64encode(f"{imported.organization.auth_id}:{SECRET}".encode()).decode()  # type: ignore[union-attr]
    response = Api().get(f"/v1/Account/{imported.organization.auth_id}/", authorization=f"Basic {basic}")  # type: ignore[union-attr]
    assert response.status_code != 401


@pytest.mark.parametrize("secret", ["SG.3ZkQ8-vmT.pLw_8", "3ZkQ8", "eyJ.a.b"])
def test_another_secret_is_no_key(api: Any, imported: ApiKey, secret: str) -> None:
    response = api(secret).get("/v1/whoami")
    assert response.status_code == 401
    assert response["WWW-Authenticate"].startswith("Bearer")


def test_neither_the_secret_nor_its_hash_is_kept(imported: ApiKey) -> None:
    stored = ApiKeySecret.objects.get(key=imported)
    assert bytes(stored.digest) != HASH
    assert stored.hint == "SG.3Z…"


def test_it_moves_to_a_new_pepper(gateway: Api, imported: ApiKey, settings: Any) -> None:
    platform = factories.platform_key()
    number, pepper = settings.API_KEY_PEPPERS[0]
    settings.API_KEY_PEPPERS = [(number + 1, b"n" * 32), (number, pepper)]
    assert Api(platform).post("/v1/keys/verify", {"key": SECRET}).json()["valid"]
    settings.API_KEY_PEPPERS = settings.API_KEY_PEPPERS[:1]
    assert Api(platform).post("/v1/keys/verify", {"key": SECRET}).json()["valid"]
    assert ApiKeySecret.objects.get(key=imported).hint == "SG.3Z…"


def test_two_keys_never_have_one_secret(imported: ApiKey, organization: Organization) -> None:
    with pytest.raises(keys.SecretKnown):
        keys.adopt(organization, sha256=HASH, hint="", name="Another")
    assert ApiKey.objects.of(organization).count() == 1


def test_it_is_rotated_into_a_key_of_ours(gateway: Api, api: Any, alice: Any, imported: ApiKey) -> None:
    rotated = api(alice).post(f"/v1/account/api-keys/{imported.public_id}/rotate", {"overlap_seconds": 3600}).json()
    for secret in (SECRET, rotated["api_key"]):
        assert gateway.post("/v1/keys/verify", {"key": secret}).json()["key_id"] == imported.public_id
