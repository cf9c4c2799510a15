"""Listing, reading, changing, disabling and revoking keys by the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import SecurityPolicy
from apikeys.models import ApiKey
from tests import factories

KEYS = "/v1/account/api-keys"


@pytest.fixture
def key(alice: Any, organization: Any) -> Any:
    return factories.key(organization, created_by=alice, permissions=["account:read", "messaging:send"])


def names(answer: Any) -> list[str]:
    return [row["name"] for row in answer.json()["results"]]


def make(api: Any, who: Any, **body: Any) -> Any:
    return api(who).post(KEYS, {"name": "Key", **body})


def stored(key: ApiKey) -> ApiKey:
    return ApiKey.objects.get(pk=key.pk)


# Reading


def test_the_list_shows_no_secret(alice: Any, api: Any, key: Any) -> None:
    answer = api(alice).get(KEYS)
    assert key[1] not in answer.content.decode()
    assert answer.json()["results"][0]["hint"] == f"{key[1][:12]}…{key[1][-4:]}"


def test_one_key_is_read_by_its_id(alice: Any, api: Any, key: Any) -> None:
    shown = api(alice).get(f"{KEYS}/{key[0].public_id}").json()
    assert (shown["key_id"], shown["status"], shown["rate_limit"]) == (key[0].public_id, "active", None)
    assert shown["allowed_cidrs"] == []


@pytest.mark.parametrize("status", ["active", "disabled", "expired", "revoked"])
def test_the_list_is_filtered_by_status(alice: Any, organization: Any, api: Any, status: str) -> None:
    past = {"disabled": "disabled_at", "expired": "expires_at", "revoked": "revoked_at"}
    for name in ("active", *past):
        made, _ = factories.key(organization, created_by=alice)
        moments = {past[name]: timezone.now()} if name in past else {}
        ApiKey.objects.filter(pk=made.pk).update(name=name, **moments)
    assert names(api(alice).get(f"{KEYS}?status={status}")) == [status]


def test_the_list_is_filtered_by_environment(alice: Any, api: Any, key: Any) -> None:
    make(api, alice, name="Trial", environment="test")
    assert names(api(alice).get(f"{KEYS}?environment=test")) == ["Trial"]


def test_the_list_is_searched_by_a_part_of_the_name(alice: Any, api: Any, key: Any) -> None:
    make(api, alice, name="Billing robot")
    assert names(api(alice).get(f"{KEYS}?search=ROBOT")) == ["Billing robot"]


def test_an_unknown_status_to_filter_by_is_refused(alice: Any, api: Any) -> None:
    answer = api(alice).get(f"{KEYS}?status=lost")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/status")


def test_a_viewer_reads_but_makes_none(bob: Any, api: Any, key: Any) -> None:
    assert names(api(bob).get(KEYS)) == ["Test key"]
    assert make(api, bob).status_code == 403
    assert ApiKey.objects.count() == 1


@pytest.mark.parametrize("verb", ["get", "patch", "delete"])
def test_a_stranger_gets_the_404_of_an_unknown_key(charlie: Any, api: Any, key: Any, verb: str) -> None:
    call = getattr(api(charlie), verb)
    foreign, unknown = call(f"{KEYS}/{key[0].public_id}", {}), call(f"{KEYS}/key_0000000000000000", {})
    assert foreign.status_code == unknown.status_code == 404
    assert {**foreign.json(), "request_id": ""} == {**unknown.json(), "request_id": ""}
    assert stored(key[0]).revoked_at is None


# Changing


def test_a_change_leaves_the_rest(alice: Any, api: Any, key: Any) -> None:
    answer = api(alice).patch(f"{KEYS}/{key[0].public_id}", {"name": "Renamed"})
    assert (answer.status_code, answer.json()["name"]) == (200, "Renamed")
    assert answer.json()["permissions"] == ["account:read", "messaging:send"]


def test_permissions_description_and_expiry_are_changed(alice: Any, api: Any, key: Any) -> None:
    body = {"permissions": ["voice:call"], "description": "Calls", "expires_at": "2100-01-01T00:00:00Z"}
    answer = api(alice).patch(f"{KEYS}/{key[0].public_id}", body).json()
    assert {name: answer[name] for name in body} == body
    assert api(key[1]).get("/v1/organizations").status_code == 403


def test_what_is_not_to_be_changed_stays(alice: Any, charlie: Any, api: Any, key: Any) -> None:
    body = {"organization": charlie.current_organization.public_id, "environment": "test", "created_by": charlie.pk}
    assert api(alice).patch(f"{KEYS}/{key[0].public_id}", {**body, "key_id": "key_1"}).status_code == 200
    assert (
        stored(key[0]).__dict__.items()
        >= {
            "organization_id": key[0].organization_id,
            "environment": "live",
            "created_by_id": alice.pk,
            "public_id": key[0].public_id,
        }.items()
    )


def test_an_expiry_in_the_past_is_refused(alice: Any, api: Any, key: Any) -> None:
    assert api(alice).patch(f"{KEYS}/{key[0].public_id}", {"expires_at": "2020-01-01"}).status_code == 400
    assert stored(key[0]).expires_at is None


def test_nobody_gives_a_key_a_scope_they_lack(alice: Any, organization: Any, api: Any, key: Any) -> None:
    dave = factories.user("dave")
    factories.join(dave, organization, "developer")
    dave.current_organization = organization
    answer = api(dave).patch(f"{KEYS}/{key[0].public_id}", {"permissions": ["billing:write"]})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/permissions")
    assert stored(key[0]).permissions == ["account:read", "messaging:send"]


def test_nobody_gives_a_key_a_scope_that_its_creator_lacks(alice: Any, organization: Any, api: Any) -> None:
    dave = factories.user("dave")
    factories.join(dave, organization, "developer")
    his, _ = factories.key(organization, created_by=dave)
    answer = api(alice).patch(f"{KEYS}/{his.public_id}", {"permissions": ["billing:write"]})
    assert (answer.status_code, "creator" in answer.json()["errors"][0]["detail"]) == (400, True)
    assert stored(his).permissions == []


def test_a_disabled_key_is_refused_on_the_next_request_and_works_once_enabled(alice: Any, api: Any, key: Any) -> None:
    path = f"{KEYS}/{key[0].public_id}"
    assert api(alice).patch(path, {"enabled": False}).json()["status"] == "disabled"
    assert api(key[1]).get("/v1/whoami").json()["code"] == "key_disabled"
    assert api(alice).patch(path, {"enabled": True}).json()["status"] == "active"
    assert api(key[1]).get("/v1/whoami").status_code == 200


def test_disabling_twice_keeps_the_first_moment(alice: Any, api: Any, key: Any) -> None:
    path = f"{KEYS}/{key[0].public_id}"
    api(alice).patch(path, {"enabled": False})
    first = stored(key[0]).disabled_at
    api(alice).patch(path, {"enabled": False})
    assert stored(key[0]).disabled_at == first


def test_a_revoked_key_is_not_changed_any_more(alice: Any, api: Any, key: Any) -> None:
    path = f"{KEYS}/{key[0].public_id}"
    api(alice).delete(path)
    answer = api(alice).patch(path, {"name": "Undead", "enabled": True})
    assert (answer.status_code, answer.json()["code"]) == (409, "key_not_usable")
    assert stored(key[0]).name == "Test key"


def test_the_life_of_an_expired_key_is_prolonged(alice: Any, api: Any, key: Any) -> None:
    ApiKey.objects.update(expires_at=timezone.now())
    answer = api(alice).patch(f"{KEYS}/{key[0].public_id}", {"expires_at": "2100-01-01"})
    assert (answer.status_code, answer.json()["status"]) == (200, "active")


# Revoking


def test_delete_revokes_and_the_next_request_is_refused(alice: Any, api: Any, key: Any) -> None:
    assert api(alice).delete(f"{KEYS}/{key[0].public_id}").status_code == 204
    assert api(key[1]).get("/v1/whoami").json()["code"] == "key_revoked"
    assert api(alice).get(f"{KEYS}/{key[0].public_id}").json()["status"] == "revoked"


def test_a_second_delete_is_a_204_that_keeps_the_first_moment(alice: Any, api: Any, key: Any) -> None:
    api(alice).delete(f"{KEYS}/{key[0].public_id}")
    first = stored(key[0]).revoked_at
    assert api(alice).delete(f"{KEYS}/{key[0].public_id}").status_code == 204
    assert stored(key[0]).revoked_at == first


# The organization's policy


@pytest.fixture
def policy(organization: Any) -> SecurityPolicy:
    return SecurityPolicy.objects.create(organization=organization, longest_key_life_days=30)


def test_a_key_may_not_be_made_to_live_longer_than_the_policy_allows(alice: Any, api: Any, policy: Any) -> None:
    answer = make(api, alice, expires_at=(datetime.now(UTC) + timedelta(days=31)).isoformat())
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/expires_at")
    assert not ApiKey.objects.exists()


def test_a_key_without_an_expiry_gets_the_longest_that_the_policy_allows(alice: Any, api: Any, policy: Any) -> None:
    make(api, alice)
    made = ApiKey.objects.get()
    assert made.expires_at == made.created_at + timedelta(days=30)


def test_a_life_is_counted_from_the_keys_creation_when_it_is_changed(alice: Any, api: Any, policy: Any) -> None:
    key_id = make(api, alice).json()["key_id"]
    ApiKey.objects.update(created_at=timezone.now() - timedelta(days=20))
    body = {"expires_at": (datetime.now(UTC) + timedelta(days=11)).isoformat()}
    assert api(alice).patch(f"{KEYS}/{key_id}", body).status_code == 400
