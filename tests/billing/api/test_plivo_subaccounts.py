"""Subaccounts, credentials and errors of the Plivo API, below the level of its clients."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.utils import timezone

from accounts import people
from accounts.models import Organization, SecurityPolicy
from apikeys import keys
from apikeys.models import ApiKey
from tests import factories
from tests.billing.api.plivo_client import basic
from tests.conftest import Api

PERMISSIONS = ["messaging:send", "account:read", "account:write"]


@pytest.fixture
def token(alice: Any, organization: Any) -> str:
    return factories.key(organization, created_by=alice, permissions=PERMISSIONS)[1]


@pytest.fixture
def client(organization: Any, token: str) -> Api:
    return basic(organization.auth_id, token)


@pytest.fixture
def path(organization: Any) -> str:
    return f"/v1/Account/{organization.auth_id}/Subaccount/"


@pytest.fixture
def robin(client: Api, path: str) -> Any:
    """An enabled subaccount, as its creation answered."""
    return client.post(path, {"name": "Robin", "enabled": True}).json()


def own(made: Any) -> Api:
    """A client with the subaccount's own credentials."""
    return basic(made["auth_id"], made["auth_token"])


def child(made: Any) -> Organization:
    return Organization.objects.get(auth_id=made["auth_id"])


# Making


def test_a_subaccount_is_a_child_of_the_account(robin: Any, organization: Any) -> None:
    assert set(robin) == {"api_id", "auth_id", "auth_token", "message"}
    assert re.fullmatch("SA[0-9A-Z]{18}", robin["auth_id"])
    assert (child(robin).parent, child(robin).name) == (organization, "Robin")


def test_its_token_inherits_the_permissions_of_the_caller(robin: Any, alice: Any) -> None:
    key = ApiKey.objects.get(organization=child(robin))
    assert (key.permissions, key.created_by, key.environment) == (PERMISSIONS, alice, "live")


def test_a_test_key_makes_no_subaccount(alice: Any, organization: Any, path: str) -> None:
    options = {"permissions": PERMISSIONS, "environment": "test"}
    _, token = factories.key(organization, created_by=alice, **options)
    refused = basic(organization.auth_id, token).post(path, {"name": "Robin"})
    assert (refused.status_code, refused.json()["error"]) == (403, "A test key can't do that. Use a live key.")
    assert not organization.children.exists()


@pytest.mark.parametrize(
    ("given", "enabled"), [("true", True), (True, True), ("false", False), (False, False), (None, False)]
)
def test_enabled_may_be_text_and_is_false_by_default(client: Api, path: str, given: Any, enabled: bool) -> None:
    made = client.post(path, {"name": "Robin", "enabled": given}).json()
    assert client.get(f"{path}{made['auth_id']}/").json()["enabled"] is enabled
    assert child(made).status == ("active" if enabled else "suspended")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "x" * 101}, {"name": "R", "enabled": "maybe"}, [1], "R"])
def test_a_bad_subaccount_is_not_made(client: Api, path: str, organization: Any, body: Any) -> None:
    refused = client.post(path, body)
    assert (refused.status_code, set(refused.json())) == (400, {"api_id", "error"})
    assert not organization.children.exists()


def test_the_tree_has_an_end(client: Api, organization: Any) -> None:
    deepest = organization
    for _ in range(5):
        deepest = people.add_child(deepest, name="Robin")
    refused = client.post(f"/v1/Account/{deepest.auth_id}/Subaccount/", {"name": "Robin"})
    assert (refused.status_code, "deep" in refused.json()["error"]) == (409, True)


def test_a_retry_makes_one_and_shows_no_token(client: Api, path: str, organization: Any) -> None:
    first = client.post(path, {"name": "Robin"}, idempotency_key="robin-1")
    again = client.post(path, {"name": "Robin"}, idempotency_key="robin-1")
    assert (again.status_code, again.headers["Idempotent-Replayed"]) == (201, "true")
    assert again.json() == {**first.json(), "auth_token": None, "api_id": again.json()["api_id"]}
    assert first.json()["api_id"] != again.json()["api_id"]
    assert organization.children.count() == 1


# Reading


def test_a_subaccount_has_the_members_that_the_clients_expect(
    client: Api, path: str, robin: Any, organization: Any
) -> None:
    shown = client.get(f"{path}{robin['auth_id']}/").json()
    assert UUID(shown.pop("api_id"))
    assert shown == {
        "account": f"/v1/Account/{organization.auth_id}/",
        "auth_id": robin["auth_id"],
        "auth_token": f"{robin['auth_token'][:12]}…{robin['auth_token'][-4:]}",
        "created": timezone.now().date().isoformat(),
        "enabled": True,
        "modified": None,
        "name": "Robin",
        "new_auth_token": "",
        "resource_uri": f"{path}{robin['auth_id']}/",
    }


@pytest.mark.parametrize("change", [{"name": "Night"}, {"enabled": "false"}, {"name": "Night", "enabled": False}])
def test_modified_is_the_date_of_the_last_change(client: Api, path: str, robin: Any, change: Any) -> None:
    mine = f"{path}{robin['auth_id']}/"
    with time_machine.travel(datetime(2027, 3, 4, 23, 59, tzinfo=UTC), tick=False):
        assert client.post(mine, change).status_code == 202
    assert client.get(mine).json()["modified"] == "2027-03-04"
    assert client.get(path).json()["objects"][0]["modified"] == "2027-03-04"


def test_while_a_rotated_token_still_works_both_are_shown(client: Api, path: str, robin: Any) -> None:
    mine, key = f"{path}{robin['auth_id']}/", child(robin).api_keys.get()
    secret = keys.rotate(key, timedelta(hours=1))
    shown = client.get(mine).json()
    assert shown["auth_token"].endswith(robin["auth_token"][-4:])
    assert shown["new_auth_token"].endswith(secret[-4:])
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        shown = client.get(mine).json()
    assert (shown["auth_token"][-4:], shown["new_auth_token"]) == (secret[-4:], "")


def test_a_root_sees_its_whole_subtree_newest_first(client: Api, path: str, robin: Any) -> None:
    people.add_child(child(robin), name="Robin's")
    assert [subaccount["name"] for subaccount in client.get(path).json()["objects"]] == ["Robin's", "Robin"]


def test_a_list_takes_the_same_queries_however_long(client: Api, path: str, django_assert_max_num_queries: Any) -> None:
    for n in range(6):
        client.post(path, {"name": f"Robin {n}"})
    with django_assert_max_num_queries(14):
        assert len(client.get(path).json()["objects"]) == 6


def test_the_first_page_is_the_default(client: Api, path: str, robin: Any) -> None:
    meta = {"limit": 20, "next": None, "offset": 0, "previous": None, "total_count": 1}
    assert client.get(path).json()["meta"] == meta


def test_next_and_previous_are_relative(client: Api, path: str, organization: Any) -> None:
    for n in range(3):
        people.add_child(organization, name=f"Robin {n}")
    meta = client.get(f"{path}?limit=1&offset=1").json()["meta"]
    assert (meta["next"], meta["previous"]) == (f"{path}?limit=1&offset=2", f"{path}?limit=1&offset=0")
    assert client.get(meta["next"]).json()["objects"][0]["name"] == "Robin 0"


@pytest.mark.parametrize("query", ["limit=21", "limit=0", "offset=-1", "limit=x", f"offset={10**13}"])
def test_a_page_that_there_can_not_be_is_refused(client: Api, path: str, query: str) -> None:
    assert client.get(f"{path}?{query}").status_code == 400


# Changing and deleting


def test_an_update_leaves_the_rest(client: Api, path: str, robin: Any) -> None:
    answer = client.post(f"{path}{robin['auth_id']}/", {"name": "Nightwing"})
    assert (answer.status_code, answer.json()["message"]) == (202, "changed")
    assert (child(robin).name, child(robin).status) == ("Nightwing", "active")


def test_a_disabled_subaccounts_credentials_are_refused_until_it_is_enabled(client: Api, path: str, robin: Any) -> None:
    mine = f"/v1/Account/{robin['auth_id']}/"
    client.post(f"{path}{robin['auth_id']}/", {"enabled": "false"})
    assert own(robin).get(mine).status_code == 401
    client.post(f"{path}{robin['auth_id']}/", {"enabled": "true"})
    assert own(robin).get(mine).status_code == 200


def test_beneath_a_disabled_subaccount_credentials_are_refused_too(client: Api, path: str, robin: Any) -> None:
    beneath = own(robin).post(f"/v1/Account/{robin['auth_id']}/Subaccount/", {"name": "R", "enabled": True}).json()
    assert own(beneath).get(f"/v1/Account/{beneath['auth_id']}/").status_code == 200
    client.post(f"{path}{robin['auth_id']}/", {"enabled": False})
    assert own(beneath).get(f"/v1/Account/{beneath['auth_id']}/").status_code == 401


def test_a_deletion_is_an_empty_204_that_closes_and_revokes(client: Api, path: str, robin: Any) -> None:
    answer = client.delete(f"{path}{robin['auth_id']}/", {"cascade": "true"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert child(robin).status == "closed"
    assert ApiKey.objects.get(organization=child(robin)).revoked_at
    assert client.get(f"{path}{robin['auth_id']}/").status_code == 404
    assert client.get(path).json()["objects"] == []


def test_a_closed_subaccount_is_not_opened_again(client: Api, path: str, robin: Any) -> None:
    client.delete(f"{path}{robin['auth_id']}/")
    assert client.post(f"{path}{robin['auth_id']}/", {"enabled": True}).status_code == 404
    assert child(robin).status == "closed"


def test_what_is_beneath_a_closed_subaccount_is_gone(client: Api, path: str, robin: Any) -> None:
    made = client.post(f"/v1/Account/{robin['auth_id']}/Subaccount/", {"name": "Beneath", "enabled": True}).json()
    client.delete(f"{path}{robin['auth_id']}/")
    assert client.get(path).json()["objects"] == []
    for beneath in (f"{path}{made['auth_id']}/", f"/v1/Account/{made['auth_id']}/"):
        assert client.post(beneath, {"name": "Renamed"}).status_code == client.get(beneath).status_code == 404
    assert child(made).name == "Beneath"


def test_what_is_beneath_a_disabled_subaccount_is_not_enabled(client: Api, path: str, robin: Any) -> None:
    made = client.post(f"/v1/Account/{robin['auth_id']}/Subaccount/", {"name": "Beneath", "enabled": True}).json()
    client.post(f"{path}{robin['auth_id']}/", {"enabled": False})
    assert client.get(f"{path}{made['auth_id']}/").json()["enabled"] is False
    assert {subaccount["name"]: subaccount["enabled"] for subaccount in client.get(path).json()["objects"]} == {
        "Beneath": False,
        "Robin": False,
    }


# A subaccount's own credentials


def test_a_subaccount_sees_itself_with_nought_credits_and_its_root(robin: Any, organization: Any) -> None:
    factories.credit(organization, 100)
    shown = own(robin).get(f"/v1/Account/{robin['auth_id']}/").json()
    assert (shown["name"], shown["cash_credits"], shown["auto_recharge"]) == ("Robin", "0.00000", False)
    assert shown["account"] == f"/v1/Account/{organization.auth_id}/"


def test_a_subaccount_sees_neither_its_root_nor_its_sibling(
    client: Api, path: str, robin: Any, organization: Any
) -> None:
    sibling = client.post(path, {"name": "Batgirl", "enabled": True}).json()
    for other in (organization.auth_id, sibling["auth_id"]):
        assert own(robin).get(f"/v1/Account/{other}/").status_code == 404
    listed = own(robin).get(f"/v1/Account/{robin['auth_id']}/Subaccount/").json()["objects"]
    assert [subaccount["auth_id"] for subaccount in listed] == [robin["auth_id"]]


def test_a_subaccount_renames_itself_but_its_address_is_its_roots(robin: Any) -> None:
    mine = f"/v1/Account/{robin['auth_id']}/"
    assert own(robin).post(mine, {"name": "Nightwing", "timezone": "Asia/Tokyo"}).status_code == 202
    refused = own(robin).post(mine, {"name": "Red Hood", "city": "Gotham"})
    assert (refused.status_code, set(refused.json())) == (403, {"api_id", "error"})
    assert (child(robin).name, child(robin).timezone) == ("Nightwing", "Asia/Tokyo")


@pytest.mark.parametrize("verb", ["post", "delete"])
def test_a_subaccount_neither_disables_nor_deletes_itself(robin: Any, verb: str) -> None:
    mine = f"/v1/Account/{robin['auth_id']}/Subaccount/{robin['auth_id']}/"
    assert getattr(own(robin), verb)(mine, {"enabled": False}).status_code == 404
    assert child(robin).status == "active"


# Credentials and errors


def test_a_401_is_text_with_a_basic_challenge(path: str) -> None:
    answer = Api().get(path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (401, "text/plain; charset=utf-8")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic bWE6", "Digest x", "Basic \xff"])
def test_credentials_that_can_not_be_read_are_a_401(path: str, header: str) -> None:
    client = Api()
    client.headers = {"authorization": header}
    assert client.get(path).status_code == 401


def test_bearer_is_not_taken_here(api: Any, path: str, token: str, alice: Any) -> None:
    assert api(token).get(path).status_code == api(alice).get(path).status_code == 401


def test_basic_is_not_taken_elsewhere(client: Api) -> None:
    assert client.get("/v1/organizations").status_code == 401


def test_a_key_of_another_organization_is_no_token(charlie: Any, organization: Any, path: str) -> None:
    _, foreign = factories.key(charlie.current_organization, created_by=charlie, permissions=PERMISSIONS)
    assert basic(organization.auth_id, foreign).get(path).status_code == 401


def test_a_platform_key_is_no_token(organization: Any, path: str) -> None:
    assert basic(organization.auth_id, factories.platform_key()).get(path).status_code == 401


def test_a_foreign_account_is_the_404_of_an_unknown_one(client: Api, charlie: Any) -> None:
    foreign = client.get(f"/v1/Account/{charlie.current_organization.auth_id}/")
    unknown = client.get("/v1/Account/MA000000000000000000/")
    assert (foreign.status_code, unknown.status_code) == (404, 404)
    assert {**foreign.json(), "api_id": ""} == {**unknown.json(), "api_id": ""} == {"api_id": "", "error": "not found"}


@pytest.mark.parametrize("named", ["", "{mine}/Subaccount/"])
def test_an_id_with_a_nul_is_a_404(client: Api, organization: Any, named: str) -> None:
    refused = client.get(f"/v1/Account/{named.format(mine=organization.auth_id)}%00/")
    assert (refused.status_code, set(refused.json())) == (404, {"api_id", "error"})


def test_what_a_viewers_key_may_not_do_is_a_403(bob: Any, organization: Any, path: str) -> None:
    _, token = factories.key(organization, created_by=bob, permissions=PERMISSIONS)
    refused = basic(organization.auth_id, token).post(path, {"name": "Robin"})
    assert (refused.status_code, set(refused.json())) == (403, {"api_id", "error"})
    assert not organization.children.exists()


def test_a_method_that_there_is_not_is_a_405_with_an_api_id(client: Api, path: str) -> None:
    answer = client.put(path, {})
    assert (answer.status_code, set(answer.json())) == (405, {"api_id", "error"})


def test_a_body_that_is_no_json_is_a_400_with_an_api_id(client: Api, path: str) -> None:
    answer = client.client.post(path, data="{", content_type="application/json", headers=client.headers)
    assert (answer.status_code, set(answer.json())) == (400, {"api_id", "error"})


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_the_slash_at_the_end_may_be_there_twice_or_not_at_all(client: Api, path: str, end: str) -> None:
    account = path.removesuffix("/Subaccount/")
    assert client.get(account + end).status_code == client.get(path.rstrip("/") + end).status_code == 200


def test_a_get_may_carry_a_body(client: Api, path: str) -> None:
    answer = client.client.generic("GET", path, '""', content_type="application/json", headers=client.headers)
    assert answer.status_code == 200


def test_a_key_from_elsewhere_is_a_403_with_an_api_id(alice: Any, organization: Any, path: str) -> None:
    options = {"permissions": PERMISSIONS, "allowed_cidrs": ["203.0.113.0/24"]}
    _, token = factories.key(organization, created_by=alice, **options)
    answer = basic(organization.auth_id, token).get(path)
    assert (answer.status_code, set(answer.json())) == (403, {"api_id", "error"})


def test_a_key_with_a_rate_limit_gets_a_429_with_an_api_id(alice: Any, organization: Any, path: str) -> None:
    options = {"permissions": PERMISSIONS, "rate_limit": 1, "rate_limit_window_seconds": 3600}
    client = basic(organization.auth_id, factories.key(organization, created_by=alice, **options)[1])
    assert client.get(path).headers["RateLimit-Policy"] == '"key";q=1;w=3600'
    refused = client.get(path)
    assert (refused.status_code, set(refused.json())) == (429, {"api_id", "error"})
    assert int(refused.headers["Retry-After"]) > 0


def test_a_token_lives_no_longer_than_the_policy_of_the_root_allows(client: Api, path: str, organization: Any) -> None:
    SecurityPolicy.objects.create(organization=organization, longest_key_life_days=30)
    made = client.post(path, {"name": "Robin"}).json()
    key = ApiKey.objects.get(organization=child(made))
    assert key.expires_at == key.created_at + timedelta(days=30)


def test_a_request_from_outside_of_the_organizations_networks_is_a_403(
    client: Api, path: str, organization: Any
) -> None:
    SecurityPolicy.objects.create(organization=organization, allowed_networks=["203.0.113.0/24"])
    refused = client.get(path)
    assert (refused.status_code, set(refused.json())) == (403, {"api_id", "error"})
