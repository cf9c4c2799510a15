"""A key in `Authorization: Bearer`: whatever ends it ends it on the next request."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.utils import timezone

from accounts import people
from accounts.models import Membership, Organization, User
from apikeys import keys, secrets
from apikeys.models import ApiKey
from tests import factories

WHOAMI = "/v1/whoami"
READ = "/auth/account/usage"


@pytest.fixture
def made(alice: User, organization: Organization) -> tuple[ApiKey, str]:
    return factories.key(organization, created_by=alice, permissions=["usage:read", "keys:write"])


def refused_with(response: Any) -> str:
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == 'Bearer realm="tollgate"'
    assert response.headers["Content-Type"] == "application/problem+json"
    return str(response.json()["code"])


@pytest.mark.parametrize(
    ("end", "code"),
    [
        (lambda key: keys.revoke(key), "key_revoked"),
        (lambda key: ApiKey.objects.filter(pk=key.pk).update(disabled_at=timezone.now()), "key_disabled"),
        (lambda key: ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now()), "key_expired"),
        (lambda key: key.secrets.all().delete(), "key_unknown"),
    ],
)
def test_what_ends_a_key_works_on_the_next_request(
    api: Any, made: tuple[ApiKey, str], end: Callable[[ApiKey], object], code: str
) -> None:
    key, secret = made
    client = api(secret)
    assert client.get(WHOAMI).status_code == 200
    end(key)
    assert refused_with(client.get(WHOAMI)) == code


def test_a_key_expires_by_the_clock(api: Any, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(minutes=1))
    assert api(secret).get(WHOAMI).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        assert refused_with(api(secret).get(WHOAMI)) == "key_expired"


def test_what_is_enabled_again_works_again(api: Any, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    ApiKey.objects.filter(pk=key.pk).update(disabled_at=timezone.now())
    assert api(secret).get(WHOAMI).status_code == 401
    ApiKey.objects.filter(pk=key.pk).update(disabled_at=None)
    assert api(secret).get(WHOAMI).status_code == 200


def test_a_key_never_has_more_than_its_creator_has_now(api: Any, alice: User, made: tuple[ApiKey, str]) -> None:
    client = api(made[1])
    assert client.post("/v1/account/api-keys", {"name": "x"}).status_code == 201
    Membership.objects.filter(user=alice).update(role="viewer")
    assert client.post("/v1/account/api-keys", {"name": "y"}).json()["code"] == "insufficient_scope"
    assert client.get(READ).status_code == 200
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("end", ["left", "deactivated", "deleted"])
def test_a_key_whose_creator_is_gone_may_do_nothing(api: Any, alice: User, made: tuple[ApiKey, str], end: str) -> None:
    client = api(made[1])
    if end == "left":
        Membership.objects.filter(user=alice).delete()
    elif end == "deactivated":
        User.objects.filter(pk=alice.pk).update(is_active=False)
    else:
        alice.delete()
    assert client.get(READ).json()["code"] == "insufficient_scope"
    assert client.get(WHOAMI).json()["scopes"] == []


def test_a_creators_role_in_a_parent_counts(api: Any, alice: User, organization: Organization) -> None:
    child = people.add_child(organization, name="Child")
    _, secret = factories.key(child, created_by=alice, permissions=["usage:read"])
    assert api(secret).get(READ).status_code == 200


def test_a_key_of_a_suspended_organization_only_reads(
    api: Any, organization: Organization, made: tuple[ApiKey, str]
) -> None:
    client = api(made[1])
    Organization.objects.filter(pk=organization.pk).update(status="suspended")
    assert client.get(READ).status_code == 200
    assert client.post("/v1/account/api-keys", {"name": "x"}).json()["code"] == "organization_suspended"


@pytest.mark.parametrize(
    "secret", ["sk_", "sk_live_", "sk_live_" + "0" * 38, "sk_" + "é" * 20, "sk_live_\x00", "sk_" + "9" * 9000]
)
def test_what_looks_like_a_key_and_is_none_is_refused(api: Any, db: None, secret: str) -> None:
    assert refused_with(api(secret).get(WHOAMI)) == "key_unknown"


def test_a_mistyped_key_costs_one_query(
    api: Any, made: tuple[ApiKey, str], statements: list[str], django_assert_num_queries: Any
) -> None:
    with django_assert_num_queries(0):  # of the ORM
        assert api(made[1][:-1] + "_").get(WHOAMI).status_code == 401
    assert statements == [keys.PRESENTED]


def test_a_request_finds_its_key_by_one_query(
    api: Any, made: tuple[ApiKey, str], statements: list[str], django_assert_max_num_queries: Any
) -> None:
    client = api(made[1])
    client.get(WHOAMI)  # notes the first use
    statements.clear()
    with django_assert_max_num_queries(1) as queries:  # of the ORM
        client.get(WHOAMI)
    assert statements.count(keys.PRESENTED) == 1
    assert len(statements) == 4
    assert not [query["sql"] for query in queries if not query["sql"].startswith("SELECT")]


def test_the_last_use_is_written_at_most_once_a_minute(api: Any, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    began = timezone.now()
    seen = []
    for seconds in (0, 1, 59, 60, 61):
        with time_machine.travel(began + timedelta(seconds=seconds), tick=False):
            api(secret).get(WHOAMI)
        key.refresh_from_db()
        assert key.last_used_at
        seen.append(round((key.last_used_at - began).total_seconds()))
    assert seen == [0, 0, 0, 60, 60]


def test_a_refused_key_is_not_noted_as_used(api: Any, made: tuple[ApiKey, str]) -> None:
    key, secret = made
    keys.revoke(key)
    api(secret).get(WHOAMI)
    key.refresh_from_db()
    assert key.last_used_at is None


def test_a_refusal_does_not_repeat_the_secret(api: Any, db: None) -> None:
    secret = secrets.generate("live")
    assert secret not in api(secret).get(WHOAMI).content.decode()


@pytest.mark.parametrize("query", ["key", "api_key", "token"])
def test_a_key_in_the_url_is_no_credential(anonymous: Any, made: tuple[ApiKey, str], query: str) -> None:
    assert anonymous.get(f"/v1/account/details?{query}={made[1]}").status_code == 401
    assert anonymous.get(f"{WHOAMI}?{query}={made[1]}").status_code == 400
