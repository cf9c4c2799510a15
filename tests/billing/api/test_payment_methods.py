"""/v1/payment-methods over HTTP: the stored data of a card, and who sees it."""

from typing import Any

import pytest

from accounts import people
from accounts.models import Membership, Organization, User
from billing.models import PaymentMethod
from tests import factories

PATH = "/v1/payment-methods"


@pytest.fixture
def payer(organization: Organization) -> Organization:
    """Alice's organization, with a billing account."""
    factories.billing_account(organization)
    return organization


def test_a_card_is_kept_by_the_gateways_token(api: Any, alice: User, payer: Organization) -> None:
    response = api(alice).post(PATH, {"gateway_token": "pm_card_visa"})
    assert response.status_code == 201
    card = response.json()
    assert card.pop("id").startswith("pm_")
    flags = {"status": "usable", "is_default": True, "is_backup": False}
    assert card == {"brand": "visa", "last4": "4242", "exp_month": 12, "exp_year": 2040, **flags}


def test_a_second_card_is_not_the_default(api: Any, alice: User, payer: Organization) -> None:
    first, second = [api(alice).post(PATH, {"gateway_token": f"pm_card_{brand}"}).json() for brand in ("visa", "amex")]
    assert (first["is_default"], second["is_default"]) == (True, False)
    assert api(alice).get(PATH).json()["results"] == [second, first]


def test_the_token_is_shown_to_nobody(api: Any, alice: User, payer: Organization) -> None:
    made = api(alice).post(PATH, {"gateway_token": "pm_card_visa"})
    for response in (made, api(alice).get(PATH)):
        assert "pm_card_visa" not in response.content.decode()


@pytest.mark.parametrize("token", ["pm_card_x", "", None, "4242424242424242", "t" * 101, [], {}, "\0", "\ud800"])
def test_a_token_that_the_gateway_does_not_know_is_named(
    api: Any, alice: User, payer: Organization, token: Any
) -> None:
    response = api(alice).post(PATH, {"gateway_token": token})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/gateway_token")
    assert not PaymentMethod.objects.exists()


def test_it_needs_an_account(api: Any, alice: User, organization: Organization) -> None:
    response = api(alice).post(PATH, {"gateway_token": "pm_card_visa"})
    assert (response.status_code, response.json()["code"]) == (409, "billing_account_required")
    assert not PaymentMethod.objects.exists()


def test_a_child_keeps_no_card(api: Any, alice: User, payer: Organization) -> None:
    people.switch(alice, people.add_child(payer, name="Child"))
    response = api(alice).post(PATH, {"gateway_token": "pm_card_visa"})
    assert (response.status_code, response.json()["code"]) == (403, "billed_by_parent")
    assert not PaymentMethod.objects.exists()


@pytest.mark.parametrize(
    ("role", "may_see", "may_add"),
    [("billing", True, True), ("admin", True, False), ("developer", False, False), ("viewer", False, False)],
)
def test_each_role_may_see_or_add_what_its_scopes_say(
    api: Any, bob: User, payer: Organization, role: str, may_see: bool, may_add: bool
) -> None:
    Membership.objects.filter(user=bob, organization=payer).update(role=role)
    assert (api(bob).get(PATH).status_code == 200) == may_see
    assert (api(bob).post(PATH, {"gateway_token": "pm_card_visa"}).status_code == 201) == may_add
    assert PaymentMethod.objects.exists() == may_add


def test_nobody_sees_anothers_cards(api: Any, charlie: User, payer: Organization) -> None:
    factories.card(payer)
    assert api(charlie).get(PATH).json()["results"] == []


def test_a_retry_with_its_key_keeps_one(api: Any, alice: User, payer: Organization) -> None:
    first, again = [api(alice).post(PATH, {"gateway_token": "pm_card_visa"}, idempotency_key="k") for _ in range(2)]
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert PaymentMethod.objects.count() == 1
