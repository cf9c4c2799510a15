"""/v1/account/api-keys: making, listing and revoking keys."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Membership, Organization, User
from apikeys import keys, secrets
from apikeys.models import ApiKey
from tests import factories

PATH = "/v1/account/api-keys"


def test_a_made_key_is_answered_with_its_secret_and_works(api: Any, alice: User) -> None:
    response = api(alice).post(PATH, {"name": "Production", "permissions": ["usage:read"]})
    assert response.status_code == 201
    made = response.json()
    assert made.keys() >= {"key_id", "api_key", "name", "created_at", "expires_at", "permissions"}
    assert made["key_id"].startswith("key_")
    assert len(made["key_id"]) == 20
    assert secrets.is_well_formed(made["api_key"])
    assert api(made["api_key"]).get("/auth/account/usage").status_code == 200


def test_a_key_belongs_to_the_current_organization_and_its_maker(
    api: Any, alice: User, organization: Organization
) -> None:
    api(alice).post(PATH, {"name": "x", "organization": "acct_other", "created_by": 1})
    key = ApiKey.objects.get()
    assert (key.organization, key.created_by) == (organization, alice)


def test_a_test_key_says_so(api: Any, alice: User) -> None:
    made = api(alice).post(PATH, {"name": "x", "environment": "test"}).json()
    assert made["api_key"].startswith("sk_test_")


def test_permissions_keep_their_order(api: Any, alice: User) -> None:
    wanted = ["voice:call", "account:read", "messaging:send", "a_b-c:*", "usage:read"]
    made = api(alice).post(PATH, {"name": "x", "permissions": wanted}).json()
    assert made["permissions"] == wanted
    assert api(alice).get(f"{PATH}/{made['key_id']}").json()["permissions"] == wanted


def test_a_scope_that_the_maker_does_not_hold_is_refused(api: Any, bob: User) -> None:
    Membership.objects.filter(user=bob, organization=bob.current_organization).update(role="developer")
    response = api(bob).post(PATH, {"name": "x", "permissions": ["keys:read", "credits:write", "billing:write"]})
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/permissions"
    assert "billing:write, credits:write" in error["detail"]
    assert not ApiKey.objects.exists()


def test_a_key_makes_no_key_that_may_do_more_than_itself(api: Any, alice: User, organization: Organization) -> None:
    _, secret = factories.key(organization, created_by=alice, permissions=["keys:write", "usage:read"])
    assert api(secret).post(PATH, {"name": "x", "permissions": ["keys:write"]}).status_code == 201
    assert api(secret).post(PATH, {"name": "x", "permissions": ["credits:write"]}).status_code == 400


def test_nobody_gives_a_key_the_gateways_scope(api: Any, alice: User) -> None:
    assert api(alice).post(PATH, {"name": "x", "permissions": ["usage:write"]}).status_code == 400
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    "permissions",
    [
        ["messaging"],
        ["Messaging:send"],
        ["messaging:Send"],
        ["1messaging:send"],
        [":send"],
        ["messaging:"],
        ["a:b:c"],
        ["é:send"],
        ["m:" + "s" * 99],
        ["a:b", "a:b"],
        [f"a:b{n}" for n in range(101)],
        [5],
        [None],
        [["a:b"]],
        "a:b",
        {"a": "b"},
        None,
        ["a:\0"],
        ["\ud800:b"],
    ],
)
def test_permissions_of_a_bad_form_are_refused(api: Any, alice: User, permissions: Any) -> None:
    response = api(alice).post(PATH, {"name": "x", "permissions": permissions})
    assert response.status_code == 400
    assert response.json()["errors"][0]["pointer"].startswith("/permissions")
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "n" * 101),
        ("name", None),
        ("name", "\0"),
        ("environment", "prod"),
        ("environment", None),
        ("environment", ["live"]),
        ("description", "d" * 501),
        ("expires_at", "2020-01-01T00:00:00Z"),
        ("expires_at", "soon"),
        ("expires_at", 5),
        ("expires_at", ["2040-01-01"]),
        ("expires_at", "9999-12-31T23:59:59-14:00"),
        ("expires_at", "\0"),
    ],
)
def test_a_bad_field_is_named_and_no_key_is_made(api: Any, alice: User, field: str, value: Any) -> None:
    response = api(alice).post(PATH, {"name": "x", field: value})
    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == {f"/{field}"}
    assert not ApiKey.objects.exists()


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("2040-01-01T00:00:00Z", "2040-01-01T00:00:00Z"),
        ("2040-01-01T00:00:00+02:00", "2039-12-31T22:00:00Z"),
        ("2040-01-01T09:00:00", "2040-01-01T00:00:00Z"),
        ("2040-01-01", "2039-12-31T15:00:00Z"),
        (None, None),
    ],
)
def test_a_naive_expiry_is_read_in_the_callers_time_zone(api: Any, db: None, sent: str | None, kept: str) -> None:
    client = api(factories.user("carol", timezone="Asia/Tokyo"))
    assert client.post(PATH, {"name": "x", "expires_at": sent}).json()["expires_at"] == kept


def test_a_viewer_sees_keys_and_makes_none(api: Any, bob: User, organization: Organization) -> None:
    factories.key(organization)
    assert api(bob).get(PATH).json()["count"] == 1
    assert api(bob).post(PATH, {"name": "x"}).status_code == 403
    assert ApiKey.objects.count() == 1


def test_a_list_shows_hints_and_never_a_secret(api: Any, alice: User, organization: Organization) -> None:
    made = [factories.key(organization) for _ in range(3)]
    response = api(alice).get(PATH)
    assert [row["key_id"] for row in response.json()["results"]] == [key.public_id for key, _ in reversed(made)]
    for key, secret in made:
        assert secrets.hint(secret) in response.content.decode()
        for shown in (response, api(alice).get(f"{PATH}/{key.public_id}")):
            assert secret not in shown.content.decode()
            assert secret[13:-5] not in shown.content.decode()
            assert secrets.digest(secret).value.hex() not in shown.content.decode()


def test_a_list_costs_the_same_however_long_it_is(
    api: Any, alice: User, organization: Organization, django_assert_max_num_queries: Any
) -> None:
    client = api(alice)
    for _ in range(10):
        factories.key(organization, created_by=alice)
    with django_assert_max_num_queries(9):
        assert len(client.get(PATH).json()["results"]) == 10


def test_a_revoked_key_stays_in_the_list_with_its_status(api: Any, alice: User, organization: Organization) -> None:
    key, _ = factories.key(organization)
    response = api(alice).delete(f"{PATH}/{key.public_id}")
    assert (response.status_code, response.content) == (204, b"")
    shown = api(alice).get(f"{PATH}/{key.public_id}").json()
    assert shown["status"] == "revoked"
    assert shown["revoked_at"]


def test_revoking_twice_is_no_error(api: Any, alice: User, organization: Organization) -> None:
    key, _ = factories.key(organization)
    for _ in range(2):
        assert api(alice).delete(f"{PATH}/{key.public_id}").status_code == 204


def test_a_key_can_revoke_itself(api: Any, alice: User, organization: Organization) -> None:
    key, secret = factories.key(organization, created_by=alice, permissions=["keys:write"])
    client = api(secret)
    assert client.delete(f"{PATH}/{key.public_id}").status_code == 204
    assert client.delete(f"{PATH}/{key.public_id}").status_code == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [({"disabled_at": timedelta(0)}, "disabled"), ({"expires_at": timedelta(0)}, "expired"), ({}, "active")],
)
def test_the_status_is_shown(
    api: Any, alice: User, organization: Organization, change: dict[str, timedelta], status: str
) -> None:
    key, _ = factories.key(organization)
    now = timezone.now()
    ApiKey.objects.filter(pk=key.pk).update(created_at=now, **{field: now + by for field, by in change.items()})
    assert api(alice).get(f"{PATH}/{key.public_id}").json()["status"] == status


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_a_foreign_key_and_an_unknown_one_get_the_same_404(
    api: Any, charlie: User, organization: Organization, verb: str
) -> None:
    key, secret = factories.key(organization)
    ask = getattr(api(charlie), verb)
    foreign = ask(f"{PATH}/{key.public_id}", x_request_id="the-same")
    unknown = ask(f"{PATH}/key_0123456789abcdef", x_request_id="the-same")
    assert foreign.status_code == 404
    assert foreign.content == unknown.content
    assert keys.find(secret, timezone.now()) == key
    assert key.revoked_at is None


def test_a_parents_list_does_not_show_a_childs_keys(api: Any, alice: User, organization: Organization) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    key, _ = factories.key(child)
    assert api(alice).get(PATH).json()["count"] == 0
    assert api(alice).get(f"{PATH}/{key.public_id}").status_code == 404


def test_a_platform_key_is_in_no_customers_list(api: Any, alice: User) -> None:
    factories.platform_key()
    assert api(alice).get(PATH).json()["count"] == 0
