"""/v1/organizations/{id}/budget, the budget of an API key and /v1/credits/alerts, as callers see them."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts import people
from accounts.models import Event, Organization, User
from apikeys.models import ApiKey
from billing.models import LedgerAccount
from tests import factories
from tests.conftest import Api
from tests.usage.metering.batches import event

KEYS = "/v1/account/api-keys"
ALERTS = "/v1/credits/alerts"
BAD = ["ten", "-1", -1, "1_000", "NaN", True, 1_000_000_001, "0.0000000001", [], {}]


@pytest.fixture
def child(funded: Organization) -> Organization:
    return people.add_child(funded, name="Child")


@pytest.fixture
def dora(child: Organization) -> User:
    """An admin of the child, which is her current organization."""
    dora = factories.user("dora")
    factories.join(dora, child, "admin")
    people.switch(dora, child)
    return dora


def path(organization: Organization) -> str:
    return f"/v1/organizations/{organization.public_id}/budget"


def limit(client: Api, organization: Organization, budget: Any, **headers: str) -> Any:
    return client.post(path(organization), {"monthly_budget": budget}, **headers)


def budget_of(organization: Organization) -> Any:
    return Organization.objects.get(pk=organization.pk).monthly_budget


def pointer(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["errors"][0]["pointer"]


# Organizations


def test_a_budget_is_set_and_shown(api: Any, alice: User, funded: Organization, gateway: Api) -> None:
    answer = limit(api(alice), funded, 50.5)
    month = datetime.now(UTC).strftime("%Y-%m")
    shown = {"monthly_budget": 50.5, "month": month, "spent": 0, "held": 0, "left": 50.5}
    assert (answer.status_code, answer.json()) == (200, shown)
    gateway.post("/v1/usage/events", event(funded, quantity=1500))
    api(alice).post("/v1/credits/holds", {"amount": 2})
    now = api(alice).get(path(funded)).json()
    assert now == {**shown, "spent": 1.5, "held": 2, "left": 47}


def test_without_a_budget_what_was_spent_is_shown(api: Any, alice: User, funded: Organization, gateway: Api) -> None:
    gateway.post("/v1/usage/events", event(funded, quantity=1500))
    shown = api(alice).get(path(funded)).json()
    assert (shown["monthly_budget"], shown["spent"], shown["left"]) == (None, 1.5, None)


def test_null_takes_it_away(api: Any, alice: User, funded: Organization) -> None:
    limit(api(alice), funded, 0)
    assert budget_of(funded) == 0
    assert limit(api(alice), funded, None).json()["monthly_budget"] is None
    assert budget_of(funded) is None


def test_amounts_are_exact_both_ways(api: Any, alice: User, funded: Organization) -> None:
    answer = limit(api(alice), funded, "999999999.123456789")
    assert '"monthly_budget": 999999999.123456789' in answer.content.decode()


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_budget_is_refused(api: Any, alice: User, funded: Organization, bad: Any) -> None:
    limit(api(alice), funded, 5)
    assert pointer(limit(api(alice), funded, bad)) == (400, "/monthly_budget")
    assert pointer(api(alice).post(path(funded), {})) == (400, "/monthly_budget")
    assert budget_of(funded) == 5


def test_a_hold_beyond_it_is_a_402(api: Any, alice: User, funded: Organization) -> None:
    limit(api(alice), funded, 5)
    answer = api(alice).post("/v1/credits/holds", {"amount": 6})
    assert (answer.status_code, answer.json()["code"]) == (402, "budget_exceeded")
    assert (answer.json()["subject"], answer.json()["available"]) == (funded.public_id, 5)


def test_the_same_key_and_body_get_the_first_answer_again(api: Any, alice: User, funded: Organization) -> None:
    first = limit(api(alice), funded, 5, idempotency_key="one")
    limit(api(alice), funded, 7)
    again = limit(api(alice), funded, 5, idempotency_key="one")
    assert (again.json(), again.headers["Idempotent-Replayed"], budget_of(funded)) == (first.json(), "true", 7)


def test_those_who_administer_the_parent_may(api: Any, alice: User, child: Organization) -> None:
    assert limit(api(alice), child, 5).status_code == 200
    assert budget_of(child) == 5


def test_those_who_administer_the_organization_may_and_nothing_reaches_up(
    api: Any, dora: User, funded: Organization, child: Organization
) -> None:
    assert limit(api(dora), child, 5).status_code == 200
    assert limit(api(dora), funded, 5).status_code == 404
    assert budget_of(funded) is None


def test_a_viewer_looks_and_does_not_touch(api: Any, bob: User, funded: Organization) -> None:
    assert api(bob).get(path(funded)).status_code == 200
    assert (limit(api(bob), funded, 5).status_code, budget_of(funded)) == (403, None)


def test_in_a_child_where_one_is_a_viewer_one_does_not_touch(
    api: Any, charlie: User, child: Organization, alice: User
) -> None:
    """The role that counts is that in the organization, not in one's own."""
    factories.join(charlie, child, "viewer")
    assert api(charlie).get(path(child)).status_code == 200
    assert (limit(api(charlie), child, 5).status_code, budget_of(child)) == (403, None)


def test_others_see_nothing(api: Any, charlie: User, funded: Organization) -> None:
    assert api(charlie).get(path(funded)).status_code == 404
    assert (limit(api(charlie), funded, 5).status_code, budget_of(funded)) == (404, None)


def test_a_platform_key_may(gateway: Api, funded: Organization, child: Organization) -> None:
    assert limit(gateway, funded, 5).json()["left"] == 5
    assert gateway.get(path(child)).json()["monthly_budget"] is None


# Keys


def test_a_key_is_made_with_a_budget_that_is_changed_and_taken_away(
    api: Any, alice: User, funded: Organization
) -> None:
    key_id = api(alice).post(KEYS, {"name": "Key", "monthly_budget": 2.5}).json()["key_id"]
    path = f"{KEYS}/{key_id}"
    assert api(alice).get(path).json()["monthly_budget"] == 2.5
    assert api(alice).patch(path, {"name": "Renamed"}).json()["monthly_budget"] == 2.5
    assert api(alice).patch(path, {"monthly_budget": "0"}).json()["monthly_budget"] == 0
    assert api(alice).get(KEYS).json()["results"][0]["monthly_budget"] == 0
    assert api(alice).patch(path, {"monthly_budget": None}).json()["monthly_budget"] is None


@pytest.mark.parametrize("bad", BAD)
def test_a_key_with_a_bad_budget_is_neither_made_nor_changed(
    api: Any, alice: User, organization: Organization, bad: Any
) -> None:
    assert pointer(api(alice).post(KEYS, {"name": "Key", "monthly_budget": bad})) == (400, "/monthly_budget")
    assert not ApiKey.objects.filter(organization=organization).exists()
    key, _ = factories.key(organization, created_by=alice, monthly_budget=5)
    assert pointer(api(alice).patch(f"{KEYS}/{key.public_id}", {"monthly_budget": bad})) == (400, "/monthly_budget")
    assert ApiKey.objects.get(pk=key.pk).monthly_budget == 5


def test_the_gate_refuses_what_would_exceed_the_keys_budget(
    gateway: Api, funded: Organization, alice: User, api: Any
) -> None:
    made = api(alice).post(KEYS, {"name": "Key", "monthly_budget": 2}).json()
    body = {"key": made["api_key"], "meter": "requests", "quantity": 1000, "hold_seconds": 60}
    codes = [gateway.post("/v1/keys/verify", body).json()["code"] for _ in range(3)]
    assert codes == ["VALID", "VALID", "BUDGET_EXCEEDED"]


# Low balances


def test_a_low_balance_is_named_and_shown(api: Any, alice: User, funded: Organization) -> None:
    assert api(alice).get(ALERTS).json() == {"low_balance": None}
    answer = api(alice).put(ALERTS, {"low_balance": 20.5})
    assert (answer.status_code, answer.json()) == (200, {"low_balance": 20.5})
    assert api(alice).get(ALERTS).json() == {"low_balance": 20.5}
    assert api(alice).put(ALERTS, {"low_balance": None}).json() == {"low_balance": None}


def test_one_who_never_had_credits_names_one_too(api: Any, charlie: User) -> None:
    assert api(charlie).get(ALERTS).json() == {"low_balance": None}
    assert api(charlie).put(ALERTS, {"low_balance": 5}).status_code == 200
    assert [event["type"] for event in api(charlie).get("/v1/events").json()["results"]] == [
        "credits.low",
        "credits.alerts_changed",
    ]


@pytest.mark.parametrize("bad", BAD)
def test_a_bad_low_balance_is_refused(api: Any, alice: User, funded: Organization, bad: Any) -> None:
    assert pointer(api(alice).put(ALERTS, {"low_balance": bad})) == (400, "/low_balance")
    assert LedgerAccount.objects.get(pk=funded.pk).low_balance is None
    assert pointer(api(alice).put(ALERTS, {})) == (400, "/low_balance")


def test_a_child_has_no_balance(api: Any, dora: User, alice: User, child: Organization) -> None:
    people.switch(alice, child)
    answers = [api(dora).get(ALERTS), api(alice).put(ALERTS, {"low_balance": 5})]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "billed_by_parent")] * 2
    assert not Event.objects.filter(type__startswith="credits.").exists()


def test_a_viewer_looks_and_does_not_name_one(api: Any, bob: User, funded: Organization) -> None:
    assert api(bob).get(ALERTS).status_code == 200
    assert api(bob).put(ALERTS, {"low_balance": 5}).status_code == 403
    assert LedgerAccount.objects.get(pk=funded.pk).low_balance is None
