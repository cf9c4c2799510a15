"""A key moves to the newest pepper when it is used."""

from typing import Any

import pytest
from django.core.management import CommandError, call_command

from apikeys import keys
from apikeys.models import ApiKeySecret
from tests import factories

OLD, NEW = (1, b"o" * 32), (2, b"n" * 32)


@pytest.fixture
def rotate(settings: Any) -> Any:
    """Keys are made under the old pepper, until this puts a new one in front."""
    settings.API_KEY_PEPPERS = [OLD]

    def new_in_front() -> None:
        settings.API_KEY_PEPPERS = [NEW, OLD]

    return new_in_front


def stored() -> list[int]:
    return list(ApiKeySecret.objects.order_by("pepper").values_list("pepper", flat=True))


def test_a_request_moves_its_key(api: Any, alice: Any, organization: Any, rotate: Any, settings: Any) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["keys:read"])
    unused, _ = factories.key(organization, created_by=alice)
    rotate()

    assert api(secret).get("/v1/account/api-keys").status_code == 200

    assert stored() == [1, 2]
    assert ApiKeySecret.objects.get(key=unused).pepper == 1
    settings.API_KEY_PEPPERS = [NEW]  # the old one is dropped
    assert api(secret).get("/v1/account/api-keys").status_code == 200


@pytest.mark.parametrize("path", ["/v1/keys/verify", "/v1/keys/verify/batch"])
def test_a_verification_moves_the_key_and_the_callers(
    api: Any, organization: Any, rotate: Any, settings: Any, path: str
) -> None:
    platform, (_, secret) = factories.platform_key(), factories.key(organization)
    rotate()
    call = {"key": secret}

    answer = api(platform).post(path, {"calls": [call, call]} if path.endswith("batch") else call).json()

    assert stored() == [2, 2]
    settings.API_KEY_PEPPERS = [NEW]
    assert api(platform).post("/v1/keys/verify", call).json()["code"] == "VALID"
    assert "VALID" in str(answer)


def test_a_key_that_is_refused_stays_where_it_is(api: Any, alice: Any, organization: Any, rotate: Any) -> None:
    key, secret = factories.key(organization, created_by=alice, permissions=["keys:read"])
    keys.revoke(key)
    rotate()
    assert api(secret).get("/v1/account/api-keys").status_code == 401
    assert stored() == [1]


def test_both_secrets_of_a_rotated_key_move(api: Any, alice: Any, organization: Any, rotate: Any) -> None:
    key, secret = factories.key(organization, created_by=alice, permissions=["keys:read", "keys:write"])
    other = api(secret).post(f"/v1/account/api-keys/{key.public_id}/rotate", {}).json()["api_key"]
    rotate()
    for presented in (secret, other):
        assert api(presented).get("/v1/account/api-keys").status_code == 200
    assert stored() == [2, 2]


def test_the_command_counts_what_works_under_each(
    api: Any, alice: Any, organization: Any, rotate: Any, capsys: Any, settings: Any
) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["keys:read"])
    revoked, _ = factories.key(organization, created_by=alice)
    keys.revoke(revoked)
    rotate()

    call_command("check_peppers")
    assert capsys.readouterr().out.splitlines() == [
        "pepper 2: 0 secrets, the newest",
        "pepper 1: 1 secrets, keep it: they move to the newest when they are used",
    ]
    settings.API_KEY_PEPPERS = [NEW]
    with pytest.raises(CommandError, match="1 secrets are under a pepper that is not in API_KEY_PEPPERS"):
        call_command("check_peppers")

    settings.API_KEY_PEPPERS = [NEW, OLD]
    api(secret).get("/v1/account/api-keys")
    capsys.readouterr()
    call_command("check_peppers")
    assert capsys.readouterr().out.splitlines() == [
        "pepper 2: 1 secrets, the newest",
        "pepper 1: 0 secrets, it can be dropped",
    ]
