"""MikroCloud's Accounts API, sentence by sentence."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization, User
from billing.invoicing import subscriptions
from billing.ledger import posting
from billing.models import BillingAccount, LedgerEntry
from tests import factories
from tests.conftest import Api

Client = Callable[[Any], Api]
PATH = "/v1/account"
REQUIRED = {"name": "Hannes Kruger", "email": "hannes@mikrocloud.com", "address": {"country": "AU"}}
ADDRESS = {"city": "", "country": "AU", "line1": "", "line2": "", "postal_code": "", "state": ""}
LIMITS = {
    "name": 100,
    "email": 250,
    "address.city": 50,
    "address.line1": 100,
    "address.line2": 100,
    "address.postal_code": 10,
    "address.state": 50,
}


def nested(field: str, value: str) -> dict[str, Any]:
    outer, _, inner = field.partition(".")
    return {outer: {inner: value}} if inner else {outer: value}


def of_length(field: str, length: int) -> str:
    return "x" * (length - 12) + "@example.com" if field == "email" else "x" * length


def test_the_example_of_creation_gives_the_documented_answer(api: Client, alice: User) -> None:
    answer = api(alice).post(PATH, REQUIRED)
    assert answer.status_code == 201
    account = answer.json()
    assert re.fullmatch(r"cus_[0-9A-Za-z]{14}", account.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", account.pop("created_at"))
    assert account == {**REQUIRED, "currency": "", "balance": 0, "address": ADDRESS}


def test_retrieving_gives_the_same_object(api: Client, alice: User) -> None:
    created = api(alice).post(PATH, REQUIRED).json()
    answer = api(alice).get(PATH)
    assert (answer.status_code, answer.json()) == (200, created)
    assert list(created) == ["id", "name", "email", "currency", "balance", "address", "created_at"]


@pytest.mark.parametrize("verb", ["get", "put", "patch", "delete"])
def test_without_an_account_there_is_the_documented_error(api: Client, alice: User, verb: str) -> None:
    answer = getattr(api(alice), verb)(PATH, {"name": "x"} if verb in ("put", "patch") else None)
    assert answer.status_code == 422
    assert set(answer.json()) == {"message", "documentation_url"}
    assert answer.json()["message"] == "You need to create an account first"
    assert answer.json()["documentation_url"].startswith("http")


@pytest.mark.parametrize("field", ["name", "email", "address.country", "address"])
def test_the_three_parameters_are_required(api: Client, alice: User, field: str) -> None:
    outer, _, inner = field.partition(".")
    kept = {name: value for name, value in REQUIRED.items() if name != outer}
    answer = api(alice).post(PATH, {**kept, outer: {}} if inner else kept)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["pointer"] == "/" + field.replace(".", "/")
    assert not BillingAccount.objects.exists()


def test_optional_parameters_are_ignored_during_creation(api: Client, alice: User) -> None:
    full = {**REQUIRED, "address": {**ADDRESS, "city": "Melbourne", "line1": "123 Mikro St"}, "currency": "EUR"}
    account = api(alice).post(PATH, {**full, "balance": 1000}).json()
    assert (account["address"], account["currency"], account["balance"]) == (ADDRESS, "", 0)


@pytest.mark.parametrize("verb", ["put", "patch"])
def test_the_example_of_an_update(api: Client, alice: User, verb: str) -> None:
    created = api(alice).post(PATH, REQUIRED).json()
    address = {
        "city": "Melbourne",
        "country": "AU",
        "line1": "123 Mikro St",
        "line2": "Apt 4B",
        "postal_code": "3000",
        "state": "VIC",
    }
    changes = {"name": "Hannes Kruger", "email": "hkruger@mikrocloud.com", "address": address}
    answer = getattr(api(alice), verb)(PATH, changes)
    assert (answer.status_code, answer.json()) == (200, {**created, **changes})


@pytest.mark.parametrize("verb", ["put", "patch"])
def test_only_what_is_provided_changes(api: Client, alice: User, verb: str) -> None:
    api(alice).post(PATH, REQUIRED)
    before = api(alice).patch(PATH, {"address": {"city": "Melbourne", "state": "VIC"}}).json()
    after = getattr(api(alice), verb)(PATH, {"address": {"state": "NSW"}}).json()
    assert after == {**before, "address": {**before["address"], "state": "NSW"}}


@pytest.mark.parametrize("field", ["city", "line1", "line2", "postal_code", "state"])
def test_an_empty_string_unsets(api: Client, alice: User, field: str) -> None:
    api(alice).post(PATH, REQUIRED)
    api(alice).patch(PATH, {"address": {field: "x"}})
    assert api(alice).patch(PATH, {"address": {field: ""}}).json()["address"][field] == ""


@pytest.mark.parametrize(("field", "limit"), LIMITS.items())
def test_each_documented_length_is_the_limit(api: Client, alice: User, field: str, limit: int) -> None:
    api(alice).post(PATH, REQUIRED)
    longest = of_length(field, limit)
    if field != "email":  # whose local part and domain have limits of their own
        assert api(alice).patch(PATH, nested(field, longest)).status_code == 200
    refused = api(alice).patch(PATH, nested(field, of_length(field, limit + 1)))
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["pointer"] == "/" + field.replace(".", "/")


def test_the_email_is_cast_to_lower_case(api: Client, alice: User) -> None:
    created = api(alice).post(PATH, {**REQUIRED, "email": "Hannes@MikroCloud.com"}).json()
    updated = api(alice).patch(PATH, {"email": "HKruger@MikroCloud.com"}).json()
    assert (created["email"], updated["email"]) == ("hannes@mikrocloud.com", "hkruger@mikrocloud.com")


@pytest.mark.parametrize("country", ["XX", "EU", "UN", "ZZ", "AUS", "", "1A"])
def test_the_country_is_a_code_of_iso_3166(api: Client, alice: User, country: str) -> None:
    answer = api(alice).post(PATH, {**REQUIRED, "address": {"country": country}})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/address/country")


def test_the_currency_comes_with_the_first_subscription(api: Client, alice: User, organization: Organization) -> None:
    api(alice).post(PATH, REQUIRED)
    subscriptions.subscribe(organization, "developer", now=timezone.now())
    assert api(alice).get(PATH).json()["currency"] == "AUD"


def test_the_balance_is_the_ledgers(api: Client, alice: User, organization: Organization) -> None:
    api(alice).post(PATH, REQUIRED)
    factories.credit(organization, "12.345678901")
    posting.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=-Decimal("0.000000001"), now=timezone.now())
    assert '"balance": 12.3456789,' in api(alice).get(PATH).content.decode()


def test_created_at_is_in_the_time_zone_of_the_token(db: None, api: Client) -> None:
    person = factories.user("kathmandu", timezone="Asia/Kathmandu")
    assert person.current_organization is not None
    factories.billing_account(person.current_organization)
    BillingAccount.objects.update(created_at=datetime(2023, 9, 13, 21, 31, 36, tzinfo=UTC))
    assert api(person).get(PATH).json()["created_at"] == "2023-09-14 03:16:36"


@pytest.mark.parametrize(
    ("verb", "scope", "status"),
    [("get", "account:read", 422), ("post", "account:write", 201), ("put", "account:write", 422)],
)
def test_each_verb_requires_its_scope(
    api: Client, alice: User, organization: Organization, verb: str, scope: str, status: int
) -> None:
    other = {"account:read": "account:write", "account:write": "account:read"}[scope]
    _, allowed = factories.key(organization, created_by=alice, permissions=[scope])
    _, refused = factories.key(organization, created_by=alice, permissions=[other])
    body = REQUIRED if verb != "get" else None
    assert getattr(api(refused), verb)(PATH, body).status_code == 403
    assert getattr(api(allowed), verb)(PATH, body).status_code == status


def test_a_second_account_is_refused(api: Client, alice: User) -> None:
    first = api(alice).post(PATH, REQUIRED).json()
    answer = api(alice).post(PATH, {**REQUIRED, "name": "Another"})
    assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")
    assert api(alice).get(PATH).json() == first


@pytest.mark.parametrize("verb", ["get", "post"])
def test_beneath_a_parent_the_root_is_responsible(
    api: Client, alice: User, organization: Organization, verb: str
) -> None:
    alice.current_organization = Organization.objects.create_child(organization, name="Child")
    answer = getattr(api(alice), verb)(PATH, REQUIRED if verb == "post" else None)
    assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")


def test_signing_up_makes_a_default_organization_that_is_the_id_of_the_token(db: None, anonymous: Api) -> None:
    body = {"email": f"{factories.unique('hannes')}@example.com", "password": factories.PASSWORD}
    made = anonymous.post("/v1/auth/signup", body).json()
    who = Api(made["access"]).get("/v1/whoami").json()
    assert who["organization"]["id"] == made["organization"]["id"]
    assert who["user"]["id"] == made["user"]["id"]
    assert "members:write" in who["scopes"]  # an owner


@pytest.mark.parametrize("path", ["/v1/payment-methods", "/v1/payments"])
def test_a_child_pays_nothing_itself(api: Client, alice: User, organization: Organization, path: str) -> None:
    alice.current_organization = Organization.objects.create_child(organization, name="Child")
    answer = api(alice).get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")
