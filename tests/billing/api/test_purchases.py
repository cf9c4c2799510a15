"""POST /v1/credits/purchases, and the payments that it leaves."""

from functools import partial
from typing import Any

import pytest

from accounts import people, tokens
from accounts.models import IdempotencyRecord, Membership, Organization, User
from billing.models import BillingAccount, Invoice, LedgerEntry, Payment, PaymentMethod
from billing.payments import payments
from billing.payments.gateways.sandbox import CARDS, visits
from tests import factories
from tests.concurrency import race
from tests.conftest import Api

PATH = "/v1/credits/purchases"
PAYMENTS = "/v1/payments"


@pytest.fixture
def buyer(organization: Organization) -> Organization:
    """Alice's organization, with a card on file."""
    factories.card(organization)
    return organization


def balance(client: Any) -> Any:
    return client.get("/auth/account/credits").json()["balance"]


def assert_nothing_bought() -> None:
    assert not Payment.objects.exists()
    assert not LedgerEntry.objects.exists()
    assert set(BillingAccount.objects.values_list("currency", flat=True)) <= {""}


def test_credits_are_bought_with_the_card_on_file(api: Any, alice: User, buyer: Organization) -> None:
    response = api(alice).post(PATH, {"amount": 25})
    assert response.status_code == 201
    payment = response.json()
    card = PaymentMethod.objects.of(buyer).get()
    assert payment.pop("id").startswith("pay_")
    assert payment.pop("created_at")
    assert payment == {
        "status": "succeeded",
        "purpose": "purchase",
        "amount": 25,
        "tax": 0,
        "total": 25,
        "currency": "USD",
        "refunded": 0,
        "disputed": 0,
        "payment_method": card.public_id,
        "invoice": Invoice.objects.of(buyer).get().public_id,
    }
    assert balance(api(alice)) == 25


def test_the_purchase_is_one_entry_that_refers_to_the_payment(api: Any, alice: User, buyer: Organization) -> None:
    payment = api(alice).post(PATH, {"amount": "12.34"}).json()
    (entry,) = api(alice).get("/auth/account/ledger").json()["results"]
    assert (entry["type"], entry["amount"], entry["balance_after"]) == ("credit", 12.34, 12.34)
    assert entry["reference"] == payment["id"]


@pytest.mark.parametrize(
    ("token", "code"),
    [("pm_card_chargeDeclined", "card_declined"), ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds")],
)
def test_a_decline_is_a_402_with_the_payment(
    api: Any, alice: User, organization: Organization, token: str, code: str
) -> None:
    factories.card(organization, token)
    response = api(alice).post(PATH, {"amount": 25})
    assert response.status_code == 402
    assert response.headers["Content-Type"] == "application/json"
    payment = response.json()
    assert payment["decline_code"] == CARDS[token].decline.decline_code  # type: ignore[union-attr]
    assert "next_action_url" not in payment
    assert (payment["status"], payment["failure_code"]) == ("failed", code)
    assert balance(api(alice)) == 0
    assert not LedgerEntry.objects.exists()


def test_a_card_may_be_named(api: Any, alice: User, buyer: Organization) -> None:
    bad = factories.card(buyer, "pm_card_chargeDeclined")
    assert api(alice).post(PATH, {"amount": 5, "payment_method": bad.public_id}).status_code == 402
    assert api(alice).post(PATH, {"amount": 5, "payment_method": None}).status_code == 201


def test_a_foreign_card_and_an_unknown_one_get_the_same_answer(
    api: Any, alice: User, charlie: User, buyer: Organization
) -> None:
    foreign = factories.card(charlie.current_organization or buyer)
    for_both = [
        api(alice).post(PATH, {"amount": 5, "payment_method": named}, x_request_id="the-same")
        for named in (foreign.public_id, "pm_" + "0" * 32)
    ]
    assert [response.status_code for response in for_both] == [400, 400]
    assert for_both[0].content == for_both[1].content
    assert for_both[0].json()["errors"][0]["pointer"] == "/payment_method"
    assert_nothing_bought()


@pytest.mark.parametrize("named", ["", "pm_", "x", "pm_" + "z" * 32, "p" * 41, 5, [], {}, "\0", "\ud800"])
def test_a_card_of_a_bad_form_is_named(api: Any, alice: User, buyer: Organization, named: Any) -> None:
    response = api(alice).post(PATH, {"amount": 5, "payment_method": named})
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/payment_method")
    assert_nothing_bought()


@pytest.mark.parametrize(
    "amount",
    [
        "0",
        "-1",
        "-0.01",
        "0.001",
        "1.005",
        "1000000000.01",
        "1e12",
        "1e999999",
        '"NaN"',
        '"1_000"',
        '""',
        "null",
        "true",
    ],
)
def test_an_amount_that_can_not_be_charged_is_named(api: Any, alice: User, buyer: Organization, amount: str) -> None:
    response = api(alice).post(PATH, f'{{"amount": {amount}}}')
    assert (response.status_code, response.json()["errors"][0]["pointer"]) == (400, "/amount")
    assert_nothing_bought()


@pytest.mark.parametrize("amount", ["0.50", "999999.99", '"19.99"', "1e2", "5.0"])
def test_an_amount_that_can_be_charged_is(api: Any, alice: User, buyer: Organization, amount: str) -> None:
    assert api(alice).post(PATH, f'{{"amount": {amount}}}').status_code == 201


@pytest.mark.parametrize(("amount", "status"), [(500, 201), ("500.5", 400)])
def test_yen_have_no_decimals(api: Any, alice: User, organization: Organization, amount: Any, status: int) -> None:
    factories.billing_account(organization, country="JP")
    factories.card(organization)
    assert api(alice).post(PATH, {"amount": amount}).status_code == status


def test_the_currency_is_the_countrys_and_stays(api: Any, alice: User, organization: Organization) -> None:
    factories.billing_account(organization, country="AU")
    factories.card(organization)
    assert api(alice).get("/v1/account").json()["currency"] == ""
    assert api(alice).post(PATH, {"amount": 5}).json()["currency"] == "AUD"
    api(alice).patch("/v1/account", {"address": {"country": "DE"}})
    assert api(alice).post(PATH, {"amount": 5}).json()["currency"] == "AUD"
    assert api(alice).get("/v1/account").json()["currency"] == "AUD"


@pytest.mark.parametrize("role", ["admin", "developer", "viewer"])
def test_who_may_not_buy_is_refused(api: Any, bob: User, buyer: Organization, role: str) -> None:
    Membership.objects.filter(user=bob, organization=buyer).update(role=role)
    response = api(bob).post(PATH, {"amount": 5})
    assert (response.status_code, response.json()["required_scopes"]) == (403, ["credits:write"])
    assert_nothing_bought()


@pytest.mark.parametrize("role", ["owner", "billing"])
def test_who_may_buy_does(api: Any, bob: User, buyer: Organization, role: str) -> None:
    Membership.objects.filter(user=bob, organization=buyer).update(role=role)
    assert api(bob).post(PATH, {"amount": 5}).status_code == 201


def test_a_key_may_buy_where_its_creator_may(api: Any, alice: User, buyer: Organization) -> None:
    key, secret = factories.key(buyer, created_by=alice, permissions=["credits:write"])
    assert api(secret).post(PATH, {"amount": 5}).status_code == 201
    assert Payment.objects.get().created_by == key.public_id


def test_a_stranger_buys_for_nobody_but_himself(api: Any, charlie: User, buyer: Organization) -> None:
    assert api(charlie).post(PATH, {"amount": 5, "organization": buyer.public_id}).status_code == 400
    assert api(charlie).post(PATH, {"amount": 5}).status_code == 409
    assert_nothing_bought()


def test_a_child_buys_nothing_since_its_root_pays(api: Any, alice: User, buyer: Organization) -> None:
    people.switch(alice, people.add_child(buyer, name="Child"))
    response = api(alice).post(PATH, {"amount": 5})
    assert (response.status_code, response.json()["code"]) == (403, "billed_by_parent")
    assert_nothing_bought()


def test_without_an_account_or_a_card_it_says_which(api: Any, alice: User, organization: Organization) -> None:
    assert api(alice).post(PATH, {"amount": 5}).json()["code"] == "billing_account_required"
    factories.billing_account(organization)
    response = api(alice).post(PATH, {"amount": 5})
    assert (response.status_code, response.json()["code"]) == (409, "payment_method_required")
    assert_nothing_bought()


def test_a_retry_with_its_key_charges_once(api: Any, alice: User, buyer: Organization) -> None:
    first, again = [api(alice).post(PATH, {"amount": 5}, idempotency_key="k") for _ in range(2)]
    assert again.content == first.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert balance(api(alice)) == 5


def test_a_decline_is_replayed_too(api: Any, alice: User, organization: Organization) -> None:
    factories.card(organization, "pm_card_chargeDeclined")
    first, again = [api(alice).post(PATH, {"amount": 5}, idempotency_key="k") for _ in range(2)]
    assert (first.status_code, again.status_code) == (402, 402)
    assert again.content == first.content
    assert Payment.objects.count() == 1


def test_a_refused_amount_leaves_the_key_free(api: Any, alice: User, buyer: Organization) -> None:
    assert api(alice).post(PATH, {"amount": "0.001"}, idempotency_key="k").status_code == 400
    assert not IdempotencyRecord.objects.exists()
    assert api(alice).post(PATH, {"amount": "0.50"}, idempotency_key="k").status_code == 201


def test_of_many_retries_at_once_one_charges(committed: None) -> None:
    person = factories.user("buyer")
    organization = person.current_organization
    assert organization
    factories.card(organization)
    client = Api(tokens.issue(person, organization).access)
    results = race([partial(client.post, PATH, {"amount": 5}, idempotency_key="k")] * 12)
    answers = {(result.status_code, result.json().get("id"), result.json().get("code")) for result in results}
    paid, *busy = sorted(answers, key=lambda answer: answer[0])
    assert paid[0] == 201
    assert set(busy) <= {(409, None, "idempotency_key_in_use")}  # those that came while the first was at work
    assert Payment.objects.filter(organization=organization).count() == 1
    assert balance(client) == 5


def test_payments_are_listed_newest_first_and_for_their_own(
    api: Any, alice: User, charlie: User, buyer: Organization
) -> None:
    made = [api(alice).post(PATH, {"amount": amount}).json() for amount in (1, 2)]
    assert api(alice).get(PAYMENTS).json()["results"] == made[::-1]
    assert api(charlie).get(PAYMENTS).json()["count"] == 0


# Checkout, canceling, and one payment


def test_a_checkout_page_is_paid_on(api: Any, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    body = {"amount": 25, "checkout": True, "return_url": "https://app.example/bought"}
    answer = api(alice).post(PATH, body)
    payment = answer.json()
    assert (answer.status_code, payment["status"], payment["payment_method"]) == (201, "pending", None)
    session = payment["next_action_url"].rstrip("/").rpartition("/")[2]
    assert visits.complete(session, "pm_card_visa") == "https://app.example/bought"
    payments.complete(Payment.objects.get().pk)
    payment = api(alice).get(f"{PAYMENTS}/{payment['id']}").json()
    assert (payment["status"], "next_action_url" in payment) == ("succeeded", False)
    assert balance(api(alice)) == 25


@pytest.mark.parametrize(
    ("more", "pointer"),
    [
        ({"checkout": True, "payment_method": "pm_1"}, "/payment_method"),
        ({"return_url": "https://app.example/"}, "/return_url"),
        ({"checkout": True, "return_url": "javascript:alert(1)"}, "/return_url"),
        ({"checkout": "maybe"}, "/checkout"),
    ],
)
def test_what_does_not_go_together_is_refused(
    api: Any, alice: User, buyer: Organization, more: dict[str, Any], pointer: str
) -> None:
    answer = api(alice).post(PATH, {"amount": 5, **more})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert_nothing_bought()


def test_an_authentication_is_done_on_the_payments_page_or_canceled(
    api: Any, alice: User, organization: Organization
) -> None:
    factories.card_on_page(organization, "pm_card_authenticationRequired")
    answer = api(alice).post(PATH, {"amount": 5})
    payment = answer.json()
    assert (answer.status_code, payment["status"]) == (201, "action_required")
    assert f"/payments/{payment['id']}/" in payment["next_action_url"]
    canceled = api(alice).post(f"{PAYMENTS}/{payment['id']}/cancel")
    assert (canceled.status_code, canceled.json()["status"]) == (200, "failed")
    again = api(alice).post(f"{PAYMENTS}/{payment['id']}/cancel")
    assert (again.status_code, again.json()["code"]) == (409, "payment_not_cancelable")
    assert balance(api(alice)) == 0


def test_a_payment_is_its_organizations_alone(
    api: Any, alice: User, bob: User, charlie: User, buyer: Organization
) -> None:
    payment = api(alice).post(PATH, {"amount": 5}).json()["id"]
    assert api(bob).post(f"{PAYMENTS}/{payment}/cancel").status_code == 403
    for id_ in (payment, f"pay_{'0' * 32}", "pay_x"):
        assert api(charlie).get(f"{PAYMENTS}/{id_}").status_code == 404
        assert api(charlie).post(f"{PAYMENTS}/{id_}/cancel").status_code == 404


@pytest.mark.parametrize(("query", "count"), [("status=succeeded", 1), ("status=failed", 0), ("purpose=recharge", 0)])
def test_payments_are_filtered(api: Any, alice: User, buyer: Organization, query: str, count: int) -> None:
    api(alice).post(PATH, {"amount": 5})
    assert api(alice).get(f"{PAYMENTS}?{query}").json()["count"] == count
    assert api(alice).get(f"{PAYMENTS}?status=paid").status_code == 400
