"""Beginning a purchase, with a card on file or on a checkout page: the refusals, and the contents of the row."""

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from accounts.lib import identifiers
from accounts.lib.problems import InvalidField, Problem
from accounts.models import Organization
from billing import accounts
from billing.exceptions import BilledByParent, NoBillingAccount, PaymentMethodRequired, PaymentReused
from billing.ledger import posting
from billing.models import BillingAccount, Payment, PaymentMethod, SandboxObject
from billing.payments import gateways, payments
from billing.payments.gateways import SessionState
from billing.payments.gateways.sandbox import SandboxGateway, visits
from tests import factories
from tests.billing.payments.buying import begin, bought, later, sweep
from tests.billing.payments.gateway import FaultySandbox, unavailable

# Beginning


def test_one_id_begins_one_payment(buyer: Organization) -> None:
    id_ = identifiers.uuid7()
    assert begin(buyer, id=id_) == begin(buyer, id=id_)
    assert Payment.objects.of(buyer).count() == 1


def test_an_id_of_another_payment_is_refused(buyer: Organization, charlie: Any) -> None:
    id_ = begin(buyer).pk
    factories.card(charlie.current_organization)
    for organization, amount in ((buyer, 26), (charlie.current_organization, 25)):
        with pytest.raises(PaymentReused):
            begin(organization, amount, id=id_)
    assert Payment.objects.of(buyer).get().amount == 25
    assert not Payment.objects.of(charlie.current_organization).exists()


@pytest.mark.parametrize(
    ("country", "amount"),
    [("US", "0.50"), ("US", "999999.99"), ("JP", "50"), ("KW", "0.40"), ("US", "5.000000000"), ("DE", "9.99")],
)
def test_an_amount_has_the_decimals_of_the_currency(organization: Organization, country: str, amount: str) -> None:
    factories.billing_account(organization, country=country)
    factories.card(organization)
    assert begin(organization, amount).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("country", "amount"),
    [
        ("US", "0"), ("US", "-1"), ("US", "0.49"), ("US", "0.501"), ("US", "1000000"), ("JP", "100.5"), ("JP", "49"),
        ("KW", "0.401"), ("US", "1.0000000000000000000000000000000001"), ("US", "1E+30"), ("US", "1E-30"),
    ],
)  # fmt: skip
def test_another_amount_is_refused_and_nothing_is_fixed(organization: Organization, country: str, amount: str) -> None:
    factories.billing_account(organization, country=country)
    factories.card(organization)
    with pytest.raises(InvalidField):
        begin(organization, amount)
    assert not Payment.objects.of(organization).exists()
    assert BillingAccount.objects.of(organization).get().currency == ""


def test_the_first_purchase_fixes_the_currency_for_good(buyer: Organization) -> None:
    assert begin(buyer).currency == "USD"
    account = BillingAccount.objects.of(buyer).get()
    accounts.update(account, {"country": "JP"})
    assert begin(buyer, "0.50").currency == account.currency == "USD"


@pytest.mark.parametrize(
    ("missing", "refusal"), [("account", NoBillingAccount), ("card", PaymentMethodRequired), ("root", BilledByParent)]
)
def test_a_purchase_needs_an_account_and_a_card(
    organization: Organization, missing: str, refusal: type[Problem]
) -> None:
    if missing != "account":
        factories.billing_account(organization)
    asks = Organization.objects.create_child(organization, name="Child") if missing == "root" else organization
    with pytest.raises(refusal):
        begin(asks)
    assert not Payment.objects.of(asks).exists()


@pytest.mark.parametrize("named", ["another's", "nobody's", "pm_", "pm_visa", "", "pm_card_visa", "x" * 500])
def test_a_card_is_the_buyers_own(buyer: Organization, charlie: Any, named: str) -> None:
    theirs = factories.card(charlie.current_organization).public_id
    method = {"another's": theirs, "nobody's": f"pm_{UUID(int=7).hex}"}.get(named, named)
    with pytest.raises(InvalidField) as refusal:
        begin(buyer, method=method)
    assert refusal.value.errors[0]["pointer"] == "/payment_method"
    assert not Payment.objects.of(buyer).exists()


def test_another_card_than_the_default_may_be_named(buyer: Organization) -> None:
    second = factories.card(buyer)
    assert begin(buyer, method=second.public_id).method == second


def test_a_card_stays_with_the_gateway_that_keeps_it(buyer: Organization, bank: FaultySandbox, settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "sandbox"
    payments.complete(begin(buyer).pk)
    assert bank.calls == ["create", "confirm"]


def test_a_card_of_0_1_0_is_saved_with_a_customer_before_it_is_charged(
    organization: Organization, bank: FaultySandbox
) -> None:
    """The release before kept the token that it was given, without a customer and without a fingerprint."""
    factories.billing_account(organization)
    card = {"gateway": "faulty", "gateway_token": "pm_card_visa", "brand": "visa", "last4": "4242"}
    old = PaymentMethod.objects.create(organization=organization, exp_month=12, exp_year=2040, is_default=True, **card)
    assert payments.complete(begin(organization).pk).status == "succeeded"
    old.refresh_from_db()
    assert old.gateway_token != "pm_card_visa"
    assert old.fingerprint
    assert posting.available(organization.pk, timezone.now()) == 25


# Checkout pages


def test_a_first_purchase_is_paid_on_the_gateways_page_and_saves_the_card(organization: Organization) -> None:
    factories.billing_account(organization)
    payment = payments.complete(begin(organization, checkout=True).pk)
    assert (payment.status, payment.method) == ("pending", None)
    assert payment.next_action_url.startswith("http")
    visits.complete(payment.session, "pm_card_mastercard")
    for _ in range(2):
        payment = payments.complete(payment.pk)
    assert (payment.status, payment.next_action_url, bought(organization)) == ("succeeded", "", [25])
    card = PaymentMethod.objects.of(organization).get()
    assert (payment.method, card.brand, card.is_default) == (card, "mastercard", True)


def test_the_sweep_finds_what_was_paid_when_nobody_came_back(organization: Organization) -> None:
    factories.billing_account(organization)
    payment = payments.complete(begin(organization, checkout=True).pk)
    visits.complete(payment.session, "pm_card_visa")
    with later():
        assert sweep() == 1
    assert bought(organization) == [25]


def test_a_checkout_page_that_nobody_paid_on_is_abandoned(organization: Organization) -> None:
    factories.billing_account(organization)
    payment = payments.complete(begin(organization, checkout=True).pk)
    with later(hours=24):
        assert sweep() == 1
    payment.refresh_from_db()
    assert (payment.status, payment.failure_code) == ("failed", "abandoned")


def test_a_decline_on_the_page_is_no_end(organization: Organization) -> None:
    factories.billing_account(organization)
    payment = payments.complete(begin(organization, checkout=True).pk)
    visits.complete(payment.session, "pm_card_chargeDeclined")
    # Stripe's session may name its intent by then, and that one must not be canceled.
    session, intent = (SandboxObject.objects.get(kind=kind) for kind in ("session", "intent"))
    SandboxObject.objects.filter(pk=session.pk).update(body={**session.body, "intent": intent.id})
    assert payments.complete(payment.pk).status == "pending"
    intent.refresh_from_db()
    assert intent.body["state"] == "declined"
    visits.complete(payment.session, "pm_card_visa")
    assert payments.complete(payment.pk).status == "succeeded"


def test_without_a_page_there_is_nowhere_to_go_yet(organization: Organization, bank: FaultySandbox) -> None:
    """The field holds where the page is going to lead back to."""
    factories.billing_account(organization)
    bank.before["customer"] = unavailable
    payment = payments.complete(begin(organization, checkout=True, return_url="https://app.example/back").pk)
    assert (payment.status, payment.action_url) == ("pending", "")
    bank.before.clear()
    assert payments.complete(payment.pk).action_url not in ("", "https://app.example/back")


def test_a_canceled_checkout_takes_no_money(organization: Organization) -> None:
    factories.billing_account(organization)
    payment = payments.cancel(payments.complete(begin(organization, checkout=True).pk))
    assert (payment.status, payment.failure_code) == ("failed", "canceled")
    with pytest.raises(gateways.UnexpectedState):
        visits.complete(payment.session, "pm_card_visa")


def test_a_checkout_that_is_canceled_while_its_page_is_made_leaves_no_page(
    organization: Organization, bank: FaultySandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    factories.billing_account(organization)
    payment = begin(organization, checkout=True)

    def cancel_meanwhile(**options: Any) -> Any:
        payments.cancel(payment)
        return SandboxGateway.checkout_session(bank, **options)

    monkeypatch.setattr(bank, "checkout_session", cancel_meanwhile)
    assert payments.complete(payment.pk).status == "failed"
    assert SandboxObject.objects.get(kind="session").body["state"] == SessionState.EXPIRED
