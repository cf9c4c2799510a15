"""/v1/account over HTTP, beyond what its reference says: bad input, retries, tenants, the list of prices."""

from typing import Any

import pytest

from accounts.models import Organization, User
from billing.models import BillingAccount
from tests import factories

PATH = "/v1/account"
GOOD = {"name": "Acme", "email": "a@example.com", "address": {"country": "AU"}}


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"name": ""}, "/name"),
        ({"name": None}, "/name"),
        ({"name": ["Acme"]}, "/name"),
        ({"name": "a\0b"}, "/name"),
        ({"name": "\ud800"}, "/name"),
        ({"email": "nobody"}, "/email"),
        ({"email": "\u0130" * 130 + "@example.com"}, "/email"),
        ({"address": None}, "/address"),
        ({"address": []}, "/address"),
        ({"address": "Sydney"}, "/address"),
        ({"address": {}}, "/address/country"),
        ({"address": {"country": ""}}, "/address/country"),
        ({"address": {"country": "A"}}, "/address/country"),
        ({"address": {"country": "AUS"}}, "/address/country"),
        ({"address": {"country": 36}}, "/address/country"),
    ],
)
def test_a_bad_field_is_named_and_no_account_is_made(
    api: Any, alice: User, organization: Organization, change: dict[str, Any], pointer: str
) -> None:
    response = api(alice).post(PATH, {**GOOD, **change})
    assert response.status_code == 400
    assert {error["pointer"] for error in response.json()["errors"]} == {pointer}
    assert not BillingAccount.objects.exists()


@pytest.mark.parametrize("change", [{"name": ""}, {"email": "x"}, {"address": {"country": "XX", "city": "Oslo"}}])
def test_an_update_with_one_bad_field_changes_none(
    api: Any, alice: User, organization: Organization, change: dict[str, Any]
) -> None:
    factories.billing_account(organization)
    before = BillingAccount.objects.values().get()
    assert api(alice).patch(PATH, {"name": "New", **change}).status_code == 400
    assert BillingAccount.objects.values().get() == before


def test_what_is_not_the_callers_to_say_is_ignored(api: Any, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    before = BillingAccount.objects.values().get()
    body = {"id": "cus_00000000000000", "currency": "EUR", "balance": 1000, "created_at": "2000-01-01 00:00:00"}
    response = api(alice).put(PATH, {**body, "organization": "acct_x"})
    assert (response.status_code, response.json()["balance"]) == (200, 0)
    assert BillingAccount.objects.values().get() == before


def test_creation_ignores_what_is_optional_even_where_it_is_bad(
    api: Any, alice: User, organization: Organization
) -> None:
    address = {"country": "AU", "city": None, "line1": "x" * 1000, "postal_code": ["a"]}
    response = api(alice).post(PATH, {**GOOD, "address": address, "currency": "EUR"})
    assert response.status_code == 201
    assert response.json()["address"]["line1"] == ""
    assert response.json()["currency"] == ""


def test_a_country_may_be_said_in_lower_case(api: Any, alice: User, organization: Organization) -> None:
    assert api(alice).post(PATH, {**GOOD, "address": {"country": "au"}}).json()["address"]["country"] == "AU"


def test_everyone_has_their_own(api: Any, alice: User, charlie: User, organization: Organization) -> None:
    mine = api(alice).post(PATH, GOOD).json()
    assert api(charlie).get(PATH).status_code == 422
    theirs = api(charlie).post(PATH, {**GOOD, "name": "Charlie's"}).json()
    api(charlie).patch(PATH, {"name": "Changed"})
    assert theirs["id"] != mine["id"]
    assert api(alice).get(PATH).json() == mine


def test_a_retry_with_its_key_gets_the_account_and_without_it_a_409(
    api: Any, alice: User, organization: Organization
) -> None:
    first, again = [api(alice).post(PATH, GOOD, idempotency_key="k") for _ in range(2)]
    assert (again.status_code, again.content) == (201, first.content)
    refused = api(alice).post(PATH, GOOD)
    assert (refused.status_code, refused.json()["code"]) == (409, "account_exists")
    assert BillingAccount.objects.count() == 1


def test_an_empty_update_changes_nothing(api: Any, alice: User, organization: Organization) -> None:
    before = api(alice).post(PATH, GOOD).json()
    for verb in ("put", "patch"):
        response = getattr(api(alice), verb)(PATH, {})
        assert (response.status_code, response.json()) == (200, before)


def test_prices_and_plans_are_for_everyone_to_see(anonymous: Any, db: None) -> None:
    meters = anonymous.get("/v1/meters").json()["results"]
    assert {meter["id"]: meter["unit_price"] for meter in meters} == {"requests": 0.001, "sms": 0.01, "voice": 0.02}
    (plan,) = anonymous.get("/v1/plans").json()["results"]
    assert (plan["id"], plan["monthly_price"]) == ("developer", 0)


def test_auto_recharge_is_off_until_it_is_set(api: Any, alice: User, organization: Organization) -> None:
    shown = api(alice).get("/v1/credits/auto-recharge").json()
    assert shown["enabled"] is False
    assert {shown[amount] for amount in ("threshold", "amount", "target", "monthly_limit")} == {None}
