"""`/v1/Account/{auth_id}/`, from the text of Plivo's reference: each documented attribute is one assertion."""

import re
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from billing.ledger import posting
from billing.models import AutoRecharge, BillingAccount, LedgerAccount, LedgerEntry
from billing.payments import payments, purchases
from tests import factories
from tests.billing.api.plivo_client import basic
from tests.conftest import Api

DOCUMENTED = {
    *("account_type", "address", "api_id", "auth_id", "auto_recharge", "billing_mode", "cash_credits", "city", "name"),
    *("resource_uri", "state", "timezone"),
}


@pytest.fixture
def wayne(organization: Any) -> BillingAccount:
    """The billing account of the documented example."""
    BillingAccount.objects.create(
        organization=organization,
        name="Bruce Wayne",
        email="bruce@example.com",
        country="US",
        line1="Wayne Enterprises Inc.",
        city="Gotham",
        state="NY",
    )
    organization.timezone = "America/New_York"
    organization.save()
    return BillingAccount.objects.of(organization).get()


@pytest.fixture
def client(alice: Any, organization: Any) -> Api:
    _, token = factories.key(organization, created_by=alice, permissions=["account:read", "account:write"])
    return basic(organization.auth_id, token)


@pytest.fixture
def path(organization: Any) -> str:
    return f"/v1/Account/{organization.auth_id}/"


@pytest.fixture
def answer(wayne: BillingAccount, client: Api, path: str) -> Any:
    return client.get(path)


# Retrieve account details


def test_the_account_is_retrieved(answer: Any) -> None:
    assert answer.status_code == 200


def test_the_answer_has_the_documented_attributes_and_no_other(answer: Any) -> None:
    assert set(answer.json()) == DOCUMENTED
    assert list(answer.json()) == sorted(DOCUMENTED)


def test_account_type_is_developer_before_the_first_payment(answer: Any) -> None:
    assert answer.json()["account_type"] == "developer"


def test_account_type_is_standard_once_something_is_paid(wayne: Any, client: Api, path: str, organization: Any) -> None:
    factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(5), method=None, by="test").pk)
    assert client.get(path).json()["account_type"] == "standard"


def test_account_type_stays_developer_when_a_card_is_declined(
    wayne: Any, client: Api, path: str, organization: Any
) -> None:
    factories.card(organization, "pm_card_chargeDeclined")
    payments.complete(purchases.begin(organization, amount=Decimal(5), method=None, by="test").pk)
    assert client.get(path).json()["account_type"] == "developer"


def test_address_is_the_billing_accounts(answer: Any) -> None:
    assert answer.json()["address"] == "Wayne Enterprises Inc."


def test_auth_id_is_the_accounts(answer: Any, organization: Any) -> None:
    assert answer.json()["auth_id"] == organization.auth_id
    assert re.fullmatch("MA[0-9A-Z]{18}", organization.auth_id)


def test_api_id_is_another_uuid_with_every_answer(answer: Any, client: Api, path: str) -> None:
    assert UUID(answer.json()["api_id"]) != UUID(client.get(path).json()["api_id"])


@pytest.mark.parametrize("enabled", [False, True])
def test_auto_recharge_is_whether_it_is_switched_on(client: Api, path: str, organization: Any, enabled: bool) -> None:
    AutoRecharge.objects.create(organization=organization, enabled=enabled, threshold=1, amount=10)
    assert client.get(path).json()["auto_recharge"] is enabled


def test_billing_mode_is_prepaid(answer: Any) -> None:
    assert answer.json()["billing_mode"] == "prepaid"


def test_billing_mode_is_postpaid_with_a_credit_limit(client: Api, path: str, organization: Any) -> None:
    LedgerAccount.objects.create(organization=organization, credit_limit=100)
    assert client.get(path).json()["billing_mode"] == "postpaid"


@pytest.mark.parametrize(
    ("balance", "shown"),
    [
        ("1.809", "1.80900"),
        ("1.809009999", "1.80900"),
        ("100", "100.00000"),
        ("0.000009999", "0.00000"),
        ("-0.000001", "-0.00001"),
        ("999999999999999.999999999", "999999999999999.99999"),
    ],
)
def test_cash_credits_are_text_with_five_decimals_rounded_down(
    client: Api, path: str, organization: Any, balance: str, shown: str
) -> None:
    posting.post(organization.pk, kind=LedgerEntry.Kind.ADJUSTMENT, amount=Decimal(balance), now=timezone.now())
    assert client.get(path).json()["cash_credits"] == shown


def test_cash_credits_are_nought_before_the_first_movement(answer: Any) -> None:
    assert answer.json()["cash_credits"] == "0.00000"


def test_city_is_the_billing_accounts(answer: Any) -> None:
    assert answer.json()["city"] == "Gotham"


def test_name_is_the_billing_accounts(answer: Any) -> None:
    assert answer.json()["name"] == "Bruce Wayne"


def test_resource_uri_is_the_path(answer: Any, path: str) -> None:
    assert answer.json()["resource_uri"] == path


def test_state_is_the_billing_accounts(answer: Any) -> None:
    assert answer.json()["state"] == "NY"


def test_timezone_is_the_organizations(answer: Any) -> None:
    assert answer.json()["timezone"] == "America/New_York"


def test_without_a_billing_account_the_texts_are_empty(client: Api, path: str) -> None:
    answer = client.get(path).json()
    assert [answer[name] for name in ("name", "address", "city", "state")] == ["", "", "", ""]


# Update account details


def test_an_update_is_202_with_an_api_id_and_changed(wayne: Any, client: Api, path: str) -> None:
    answer = client.post(path, {"name": "Lucius Fox", "city": "New York", "address": "Times Square"})
    assert (answer.status_code, set(answer.json()), answer.json()["message"]) == (202, {"api_id", "message"}, "changed")
    assert UUID(answer.json()["api_id"])


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("address", "Times Square"),
        ("name", "Lucius Fox"),
        ("city", "New York"),
        ("state", "NJ"),
        ("timezone", "Asia/Kolkata"),
    ],
)
def test_each_argument_changes_its_attribute_and_leaves_the_others(
    answer: Any, client: Api, path: str, argument: str, value: str
) -> None:
    client.post(path, {argument: value})
    assert {**client.get(path).json(), "api_id": ""} == {**answer.json(), argument: value, "api_id": ""}


def test_null_is_what_was_not_given(answer: Any, client: Api, path: str) -> None:
    assert client.post(path, {"name": None, "city": "Metropolis", "address": None}).status_code == 202
    assert {**client.get(path).json(), "api_id": ""} == {**answer.json(), "city": "Metropolis", "api_id": ""}


def test_an_unknown_member_is_ignored(answer: Any, client: Api, path: str) -> None:
    body = {"auth_id": "MA" + "0" * 18, "cash_credits": "5", "organization": "acct_1", "isVoiceRequest": True}
    assert client.post(path, body).status_code == 202
    assert {**client.get(path).json(), "api_id": ""} == {**answer.json(), "api_id": ""}


@pytest.mark.parametrize("argument", ["address", "city", "state"])
def test_an_empty_text_unsets(wayne: Any, client: Api, path: str, argument: str) -> None:
    client.post(path, {argument: ""})
    assert client.get(path).json()[argument] == ""


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("name", "x" * 101),
        ("name", ""),
        ("name", ["Lucius"]),
        ("name", "nul\x00"),
        ("address", "x" * 101),
        ("city", "x" * 51),
        ("state", "x" * 51),
        ("timezone", "Mars/Olympus"),
        ("timezone", ""),
    ],
)
def test_a_bad_argument_is_a_400_that_names_it_and_nothing_changes(
    answer: Any, client: Api, path: str, argument: str, value: Any
) -> None:
    refused = client.post(path, {"city": "Metropolis", argument: value})
    assert (refused.status_code, set(refused.json())) == (400, {"api_id", "error"})
    assert refused.json()["error"].startswith(f"{argument}: ")
    assert {**client.get(path).json(), "api_id": ""} == {**answer.json(), "api_id": ""}


@pytest.mark.parametrize(("argument", "most"), [("name", 100), ("address", 100), ("city", 50), ("state", 50)])
def test_the_longest_is_taken(wayne: Any, client: Api, path: str, argument: str, most: int) -> None:
    assert client.post(path, {argument: "x" * most}).status_code == 202


def test_without_a_billing_account_the_time_zone_alone_is_changed(client: Api, path: str, organization: Any) -> None:
    assert client.post(path, {"timezone": "Asia/Kolkata"}).status_code == 202
    refused = client.post(path, {"name": "Lucius Fox", "timezone": "Asia/Tokyo"})
    assert (refused.status_code, refused.json()["error"]) == (409, "Create a billing account first.")
    organization.refresh_from_db()
    assert organization.timezone == "Asia/Kolkata"
