"""manage.py create_platform_key: a key for the company's own gateway."""

from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts import scopes
from apikeys import keys, secrets
from apikeys.models import ApiKey


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("create_platform_key", *arguments, stdout=out)
    return out.getvalue()


def test_it_prints_just_the_secret(db: None) -> None:
    secret = printed("--name", "gateway")
    assert secret.endswith("\n")
    assert secrets.is_well_formed(secret.rstrip("\n"))


def test_the_key_belongs_to_no_customer_and_has_the_gateways_scopes(db: None) -> None:
    key = keys.find(printed("--name", "gateway").strip(), timezone.now())
    assert key
    assert key.is_platform
    assert (key.name, key.organization, key.created_by) == ("gateway", None, None)
    assert set(key.permissions) == scopes.GATEWAY


def test_it_opens_the_gateways_doors(api: Any, db: None) -> None:
    client = api(printed("--name", "gateway").strip())
    assert client.post("/v1/keys/verify", {"key": "sk_live_x"}).json()["code"] == "NOT_FOUND"


def test_a_name_is_asked_for(db: None) -> None:
    with pytest.raises(CommandError, match="--name"):
        printed()
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize("name", ["", "n" * 101])
def test_a_bad_name_is_refused_in_one_line(db: None, name: str) -> None:
    with pytest.raises(CommandError):
        printed("--name", name)
    assert not ApiKey.objects.exists()


def test_it_is_given_other_scopes(db: None) -> None:
    key = keys.find(
        printed("--name", "backend", "--scopes", "keys:write", "provisioning:write").strip(), timezone.now()
    )
    assert key
    assert key.permissions == ["keys:write", "provisioning:write"]


@pytest.mark.parametrize("scope", ["security:write", "everything"])
def test_a_scope_that_no_platform_key_has_is_refused(db: None, scope: str) -> None:
    with pytest.raises(CommandError, match=scope):
        printed("--name", "backend", "--scopes", scope)
    assert not ApiKey.objects.exists()
