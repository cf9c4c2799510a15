"""Payments with many concurrent callers, each race with its control. No transaction is open during a gateway call."""

import time
from decimal import Decimal
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import tokens
from accounts.lib import identifiers
from accounts.models import Organization
from billing import accounts
from billing.accounts import AccountNotSettled
from billing.exceptions import NoBillingAccount
from billing.ledger import posting
from billing.models import BillingAccount, LedgerEntry, Payment, PaymentMethod, SandboxObject
from billing.payments import payments, purchases, settling
from billing.payments.gateways import Decline, Intent, IntentState
from billing.payments.minor_units import Money
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, together
from tests.concurrency import race
from tests.conftest import Api

THREADS = 20

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def buyer(committed: None, bank: FaultySandbox) -> Organization:
    """Has a billing account and a card that the recording gateway keeps."""
    organization = factories.organization()
    factories.card(organization)
    return organization


def begin(organization: Organization, **params: Any) -> Payment:
    return purchases.begin(organization, amount=Decimal(25), method=None, by="test", **params)


def defaults(organization: Organization) -> int:
    return PaymentMethod.objects.of(organization).filter(is_default=True).count()


def test_a_payment_completed_from_many_threads_is_one_charge_and_one_purchase(
    buyer: Organization, bank: FaultySandbox
) -> None:
    payment = begin(buyer)
    results = race([partial(payments.complete, payment.pk)] * THREADS)
    assert {result.status for result in results} == {"succeeded"}
    assert bank.charged[-1] == 2500
    assert SandboxObject.objects.filter(kind="intent", body__request__metadata__payment=payment.public_id).count() == 1
    assert list(LedgerEntry.objects.of(buyer).values_list("amount", flat=True)) == [25]


def test_a_status_compared_in_python_would_purchase_twice(buyer: Organization) -> None:
    """The control of the test above."""
    payment, both_have_read = begin(buyer), Barrier(2)

    def settle() -> None:
        if Payment.objects.get(pk=payment.pk).status == "pending":
            both_have_read.wait(timeout=30)
            posting.post(buyer.pk, kind=LedgerEntry.Kind.PURCHASE, amount=payment.amount, now=timezone.now())
            Payment.objects.filter(pk=payment.pk).update(status="succeeded")

    race([settle] * 2)
    assert posting.available(buyer.pk, timezone.now()) == 50
    payment.delete()  # so that it isn't among the books that other tests prove


def intent(state: IntentState) -> Intent:
    """The gateway's answer about a payment of 25 dollars."""
    received = 2500 if state == IntentState.SUCCEEDED else 0
    decline = None if received else Decline("card_declined")
    return Intent("pi_1", state, Money(2500, "USD"), received, timezone.now(), decline=decline)


def settle_twice(payment: Payment) -> str:
    """Two answers of the gateway, the second before the first has committed; the status that the payment then has."""
    settled = Event()

    def first() -> None:
        with transaction.atomic():
            settling.settle(payment.pk, intent(IntentState.SUCCEEDED))
            settled.set()
            time.sleep(0.2)

    def second() -> None:
        settled.wait(timeout=30)
        settling.settle(payment.pk, intent(IntentState.CANCELED))

    race([first, second])
    payment.refresh_from_db()
    return payment.status


def test_of_two_answers_at_once_the_first_stands(buyer: Organization) -> None:
    assert settle_twice(begin(buyer)) == "succeeded"
    assert posting.available(buyer.pk, timezone.now()) == 25


def test_without_the_lock_the_second_answer_would_replace_the_first(
    buyer: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: a purchase in the ledger, of a payment that failed."""
    payment = begin(buyer)
    monkeypatch.setattr(posting, "LOCK", posting.LOCK.replace("FOR NO KEY UPDATE", ""))
    assert settle_twice(payment) == "failed"
    assert posting.available(buyer.pk, timezone.now()) == 25
    Payment.objects.filter(pk=payment.pk).update(status="succeeded")  # so that the books are good for other tests


def test_the_sweep_and_the_request_settle_a_payment_once(buyer: Organization, bank: FaultySandbox) -> None:
    """The sweep comes while the request waits for the gateway."""
    payment = begin(buyer)
    bank.before["create"] = together(2)
    Payment.objects.filter(pk=payment.pk).update(next_attempt_at=timezone.now())
    race([partial(payments.complete, payment.pk), lambda: payments.sweep(timezone.now())])
    assert bank.calls.count("create") == 2
    assert posting.available(buyer.pk, timezone.now()) == 25


def test_an_id_from_many_threads_begins_one_payment(buyer: Organization) -> None:
    id_ = identifiers.uuid7()
    results = race([partial(begin, buyer, id=id_)] * 8)
    assert {result.pk for result in results} == {id_}
    payments.complete(id_)
    assert Payment.objects.of(buyer).count() == 1


def test_of_many_first_cards_one_is_the_default(bank: FaultySandbox) -> None:
    organization = factories.organization()
    factories.billing_account(organization)
    results = race([partial(factories.card, organization)] * 8)
    assert all(isinstance(result, PaymentMethod) for result in results)
    assert (PaymentMethod.objects.of(organization).count(), defaults(organization)) == (8, 1)


def test_first_cards_kept_without_the_lock_would_collide(bank: FaultySandbox) -> None:
    """The control of the test above: both find that there is no default yet."""
    organization, both_have_looked = factories.organization(), Barrier(2)

    def keep() -> None:
        first = not defaults(organization)
        both_have_looked.wait(timeout=30)
        card = {"gateway": "recording", "exp_month": 1, "exp_year": 2040}
        PaymentMethod.objects.create(organization=organization, is_default=first, **card)

    assert [type(result) for result in race([keep] * 2) if result] == [IntegrityError]


def test_an_account_that_is_being_closed_takes_no_new_payment(buyer: Organization) -> None:
    """Whichever comes first, there is no pending payment of a closed account."""
    refused = race([partial(accounts.close, buyer, now=timezone.now()), partial(begin, buyer)])
    assert [type(r) for r in refused if isinstance(r, Exception)] in ([AccountNotSettled], [NoBillingAccount])
    is_closed = BillingAccount.objects.of(buyer).get().closed_at is not None
    begun = Payment.objects.of(buyer)
    assert [payments.complete(payment.pk).status for payment in begun] == ["succeeded"] * (not is_closed)


def test_a_payment_waits_for_the_closing_that_came_before_it(buyer: Organization) -> None:
    started = Barrier(2)

    def close() -> None:
        with transaction.atomic():
            accounts.close(buyer, now=timezone.now())
            started.wait(timeout=30)
            time.sleep(0.05)

    def buy() -> Payment:
        started.wait(timeout=30)
        return begin(buyer)

    assert isinstance(race([close, buy])[1], NoBillingAccount)
    assert not Payment.objects.of(buyer).exists()


def test_no_transaction_is_open_while_the_gateway_is_called(buyer: Organization, bank: FaultySandbox) -> None:
    payments.complete(begin(buyer).pk)
    assert bank.saw_transactions == {False}


@pytest.fixture
def api(committed: None) -> Api:
    """A client of a person whose organization has a billing account."""
    person = factories.user()
    assert person.current_organization
    factories.billing_account(person.current_organization)
    return Api(tokens.issue(person, person.current_organization).access)


@pytest.mark.parametrize("with_key", [False, True])
def test_no_transaction_is_open_while_a_request_calls_the_gateway(
    api: Api, bank: FaultySandbox, with_key: bool
) -> None:
    card, purchase = ({"idempotency_key": name} if with_key else {} for name in ("card", "purchase"))
    assert api.post("/v1/payment-methods", {"gateway_token": "pm_card_visa"}, **card).status_code == 201
    assert api.post("/v1/credits/purchases", {"amount": 5}, **purchase).status_code == 201
    assert bank.saw_transactions == {False}


def test_a_card_kept_with_an_idempotency_key_is_kept_once(api: Api, bank: FaultySandbox) -> None:
    send = partial(api.post, "/v1/payment-methods", {"gateway_token": "pm_card_visa"}, idempotency_key="card")
    first, again = send(), send()
    assert first.json() == again.json()
    assert api.get("/v1/payment-methods").json()["count"] == 1


def test_a_card_that_the_gateway_does_not_know_is_not_kept(api: Api, bank: FaultySandbox) -> None:
    answer = api.post("/v1/payment-methods", {"gateway_token": "unknown"}, idempotency_key="card")
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/gateway_token")
    assert api.get("/v1/payment-methods").json()["count"] == 0
