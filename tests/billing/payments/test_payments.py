"""Buying credits: begin, charge, settle, and what happens when the gateway fails in between."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from accounts.lib import identifiers
from accounts.lib.problems import InvalidField, Problem
from accounts.models import Organization
from billing import accounts, tasks
from billing.exceptions import BilledByParent, NoBillingAccount, PaymentMethodRequired, PaymentReused
from billing.ledger import posting
from billing.models import BillingAccount, LedgerEntry, Payment, PaymentMethod
from billing.payments import payments
from billing.payments.gateways import Charge
from billing.payments.gateways.sandbox import DECLINES
from tests import factories
from tests.billing.payments.gateway import RecordingGateway, unavailable


@pytest.fixture
def buyer(organization: Organization, bank: RecordingGateway) -> Organization:
    """Has a billing account and a card that the recording gateway keeps."""
    factories.card(organization)
    return organization


def begin(organization: Organization, amount: Decimal | int | str = 25, **params: Any) -> Payment:
    return payments.begin(organization, **{"amount": Decimal(amount), "method": None, "by": "test", **params})


def age(payment: Payment) -> None:
    """As if it had been begun before the sweep's period of grace."""
    Payment.objects.filter(pk=payment.pk).update(created_at=payment.created_at - payments.GRACE)


def purchases(organization: Organization) -> list[Decimal]:
    entries = LedgerEntry.objects.of(organization).filter(kind="purchase")
    return list(entries.order_by("seq").values_list("amount", flat=True))


def test_a_purchase_charges_once_and_raises_the_balance(buyer: Organization, bank: RecordingGateway) -> None:
    payment = payments.complete(begin(buyer).pk)
    assert (payment.status, payment.gateway_reference) == ("succeeded", "ref-1")
    assert bank.charged == {payment.pk.hex: 25}
    assert purchases(buyer) == [25]
    assert LedgerEntry.objects.of(buyer).get().reference == payment.public_id


def test_a_payment_that_is_begun_moves_nothing_yet(buyer: Organization, bank: RecordingGateway) -> None:
    assert begin(buyer).status == "pending"
    assert bank.calls == purchases(buyer) == []


@pytest.mark.parametrize("token", sorted(DECLINES))
def test_a_decline_leaves_the_balance_as_it_was(organization: Organization, token: str) -> None:
    factories.card(organization, token)
    payment = payments.complete(begin(organization).pk)
    assert (payment.status, payment.failure_code) == ("failed", DECLINES[token])
    assert purchases(organization) == []
    assert posting.available(organization.pk) == 0


def test_a_settled_payment_is_not_charged_again(buyer: Organization, bank: RecordingGateway) -> None:
    payment = begin(buyer)
    assert payments.complete(payment.pk) == payments.complete(payment.pk)
    assert len(bank.calls) == 1
    assert purchases(buyer) == [25]


def test_a_declined_payment_is_not_tried_again(buyer: Organization, bank: RecordingGateway) -> None:
    bank.answer = Charge(status="failed", failure_code="card_declined")
    payment = payments.complete(begin(buyer).pk)
    bank.answer = Charge(status="succeeded")
    assert payments.complete(payment.pk).status == "failed"
    assert purchases(buyer) == []


def test_an_action_that_the_person_must_take_is_passed_on(buyer: Organization, bank: RecordingGateway) -> None:
    bank.answer = Charge(status="action_required", next_action_url="https://bank.example/3ds")
    payment = payments.complete(begin(buyer).pk)
    assert (payment.status, payment.next_action_url) == ("action_required", "https://bank.example/3ds")
    assert purchases(buyer) == []


def test_a_gateway_that_is_not_reached_leaves_the_payment_pending(buyer: Organization, bank: RecordingGateway) -> None:
    bank.before = unavailable
    assert payments.complete(begin(buyer).pk).status == "pending"
    assert bank.charged == {}
    assert purchases(buyer) == []


def test_the_sweep_settles_what_was_left_pending(buyer: Organization, bank: RecordingGateway) -> None:
    payment = begin(buyer)
    age(payment)
    assert payments.settle_pending() == 1
    assert purchases(buyer) == [25]


def test_the_sweep_runs_every_minute(buyer: Organization, settings: Any) -> None:
    scheduled = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled[tasks.settle_pending_payments.name] == 60
    age(begin(buyer))
    assert tasks.settle_pending_payments() == 1


def test_a_charge_whose_answer_was_lost_is_charged_once_and_purchased_once(
    buyer: Organization, bank: RecordingGateway
) -> None:
    payment, bank.after = begin(buyer), unavailable
    assert payments.complete(payment.pk).status == "pending"
    bank.after = lambda: None
    age(payment)
    assert payments.settle_pending() == 1
    assert bank.calls == [payment.pk.hex] * 2
    assert bank.charged == {payment.pk.hex: 25}
    assert purchases(buyer) == [25]


def test_the_sweep_leaves_alone_what_is_still_at_work(buyer: Organization, bank: RecordingGateway) -> None:
    payment = begin(buyer)
    Payment.objects.filter(pk=payment.pk).update(created_at=payment.created_at - payments.GRACE + timedelta(seconds=5))
    assert payments.settle_pending() == 0
    assert bank.calls == []


def test_a_payment_that_stays_pending_is_swept_again_and_not_counted(
    buyer: Organization, bank: RecordingGateway
) -> None:
    payment, bank.answer = begin(buyer), Charge(status="pending", reference="slow")
    age(payment)
    assert payments.settle_pending() == 0
    payment.refresh_from_db()
    assert (payment.status, payment.settled_at) == ("pending", None)
    bank.answer = Charge(status="succeeded")
    assert payments.settle_pending() == 1
    assert purchases(buyer) == [25]


def test_a_payment_whose_gateway_is_gone_does_not_keep_the_sweep_from_the_others(buyer: Organization) -> None:
    first, second = begin(buyer, 10), begin(buyer, 20)
    age(first)
    age(second)
    PaymentMethod.objects.filter(payments=first).update(gateway="closed-down")
    Payment.objects.filter(pk=second.pk).update(method=factories.card(buyer))
    assert payments.settle_pending() == 1
    assert purchases(buyer) == [20]


def test_a_payment_at_which_the_gateway_fails_does_not_keep_the_sweep_from_the_others(
    buyer: Organization, bank: RecordingGateway
) -> None:
    first, second = begin(buyer, 10), begin(buyer, 20)
    age(first)
    age(second)
    bank.fails_at = first.pk.hex
    assert payments.settle_pending() == 1
    assert purchases(buyer) == [20]


def test_one_that_never_ends_does_not_keep_the_others_waiting(
    buyer: Organization, bank: RecordingGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep has room for one here; by chance alone, fifty of them would miss the other once in 2⁵⁰."""
    monkeypatch.setattr(payments, "SWEEP_SIZE", 1)
    stuck, other = begin(buyer), begin(buyer)
    age(stuck)
    age(other)
    bank.fails_at = stuck.pk.hex
    for _ in range(50):
        payments.settle_pending()
    assert Payment.objects.get(pk=other.pk).status == "succeeded"
    assert Payment.objects.get(pk=stuck.pk).status == "pending"


@pytest.mark.parametrize("status", ["failed", "succeeded"])
def test_the_first_answer_of_the_gateway_stands(buyer: Organization, status: str) -> None:
    payment = begin(buyer)
    payments.settle(payment.pk, Charge(status=status))
    other = "succeeded" if status == "failed" else "failed"
    assert payments.settle(payment.pk, Charge(status=other)).status == status
    assert purchases(buyer) == [25] * (status == "succeeded")


def test_a_payment_that_is_pending_once_more_is_not_purchased_once_more(
    buyer: Organization, bank: RecordingGateway
) -> None:
    """As after a restore: the gateway and the ledger know the payment's id."""
    payment = payments.complete(begin(buyer).pk)
    Payment.objects.filter(pk=payment.pk).update(status="pending")
    assert payments.complete(payment.pk).status == "succeeded"
    assert bank.charged == {payment.pk.hex: 25}
    assert purchases(buyer) == [25]


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
    [("US", "0.01"), ("US", "1000000000"), ("JP", "1"), ("KW", "0.001"), ("US", "5.000000000"), ("DE", "9.99")],
)
def test_an_amount_has_the_decimals_of_the_currency(organization: Organization, country: str, amount: str) -> None:
    factories.billing_account(organization, country=country)
    factories.card(organization)
    assert begin(organization, amount).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("country", "amount"),
    [
        ("US", "0"), ("US", "-1"), ("US", "0.001"), ("US", "1000000000.01"), ("JP", "0.5"), ("KW", "0.0001"),
        ("US", "1.0000000000000000000000000000000001"), ("US", "1E+30"), ("US", "1E-30"),
    ],
)  # fmt: skip
def test_another_amount_is_refused_and_nothing_is_settled(
    organization: Organization, country: str, amount: str
) -> None:
    factories.billing_account(organization, country=country)
    factories.card(organization)
    with pytest.raises(InvalidField):
        begin(organization, amount)
    assert not Payment.objects.of(organization).exists()
    assert BillingAccount.objects.of(organization).get().currency == ""


def test_the_first_purchase_sets_the_currency_for_good(buyer: Organization) -> None:
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


def test_a_card_stays_with_the_gateway_that_keeps_it(
    buyer: Organization, bank: RecordingGateway, settings: Any
) -> None:
    settings.PAYMENT_GATEWAY = "sandbox"
    payments.complete(begin(buyer).pk)
    assert len(bank.calls) == 1
