"""Refunds: first the entry, then the money; if the money isn't paid back, the credits are returned."""

from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.core import mail
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import emails
from accounts.models import Event, Organization, User
from billing.invoicing import crediting
from billing.ledger import posting
from billing.models import BillingAccount, LedgerEntry, Payment, Refund, SandboxObject
from billing.payments import gateways, minor_units, payments, purchases, refunding, refunds
from billing.payments.gateways import GatewayRefused, RefundState
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, unavailable
from tests.concurrency import race
from tests.conftest import Api


def paid(organization: Organization, amount: int | str = 25) -> Payment:
    begun = purchases.begin(organization, amount=Decimal(amount), method=None, by="test")
    return payments.complete(begun.pk)


@pytest.fixture
def payment(organization: Organization, bank: FaultySandbox) -> Payment:
    """25 dollars that were paid."""
    factories.card(organization)
    return paid(organization)


def refund(payment: Payment, amount: int | str | None = None, **options: Any) -> Refund:
    number = None if amount is None else Decimal(amount)
    return refunding.complete(refunds.begin(payment, amount=number, reason="Sorry", actor="test", **options).pk)


def paid_back() -> list[Any]:
    """What the gateway paid back, in cents."""
    rows = SandboxObject.objects.filter(kind="refund").order_by("created_at")
    return [row.body["request"]["minor"] for row in rows]


def entries(organization: Organization) -> list[tuple[str, Any]]:
    return list(LedgerEntry.objects.of(organization).order_by("seq").values_list("kind", "amount"))


def test_a_payment_is_refunded_in_parts_to_the_last_cent(payment: Payment, organization: Organization) -> None:
    first, rest = refund(payment, "10.01"), refund(payment)
    assert [(r.status, r.amount, r.total) for r in (first, rest)] == [
        ("succeeded", Decimal("10.01"), Decimal("10.01")),
        ("succeeded", Decimal("14.99"), Decimal("14.99")),
    ]
    assert paid_back() == [1001, 1499]
    assert entries(organization) == [("purchase", 25), ("refund", Decimal("-10.01")), ("refund", Decimal("-14.99"))]
    payment.refresh_from_db()
    assert payment.refunded == 25
    types = [event.type for event in Event.objects.of(organization).order_by("pk")]
    assert types[-3:] == ["refund.created", "refund.succeeded", "invoice.issued"]


def test_the_tax_goes_back_in_proportion_and_the_sum_is_rounded(buyer: Organization) -> None:
    """Net 25, tax 4.99: a third of it each time."""
    BillingAccount.objects.of(buyer).update(tax_percent=Decimal("19.96"))
    payment = paid(buyer)
    totals = [refund(payment, amount).total for amount in ("8.33", "8.33", "8.34")]
    assert totals == [Decimal("9.99"), Decimal("10.00"), Decimal("10.00")]
    assert sum(paid_back()) == 2999


def test_small_parts_pay_back_no_more_than_their_sum(payment: Payment) -> None:
    """Each 0.006 alone would be a whole cent."""
    for amount in ("0.006", "0.006"):
        with suppress(refunds.NotRefundable):
            refund(payment, amount)
    assert sum(paid_back()) == 1


def test_a_last_part_that_is_worth_no_money_is_refused(payment: Payment) -> None:
    refund(payment, "24.999")
    with pytest.raises(refunds.NotRefundable):
        refund(payment)
    assert sum(paid_back()) == 2500


@pytest.mark.parametrize("amount", ["25.01", "1000000"])
def test_more_than_was_paid_is_not_refunded(payment: Payment, organization: Organization, amount: str) -> None:
    with pytest.raises(refunds.NotRefundable):
        refund(payment, amount, force=True)
    assert paid_back() == []
    assert posting.available(organization.pk, timezone.now()) == 25


def test_credits_that_were_spent_are_refunded_only_by_force(payment: Payment, organization: Organization) -> None:
    posting.debit(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(20), now=timezone.now())
    with pytest.raises(refunds.NotRefundable):
        refund(payment)
    assert refund(payment, 5).status == "succeeded"
    assert refund(payment, 20, force=True).status == "succeeded"
    assert posting.available(organization.pk, timezone.now()) == -20


def test_it_is_the_purchases_own_lot_that_is_taken_back(payment: Payment, organization: Organization) -> None:
    """Other credits don't make up for those that were spent."""
    factories.credit(organization, 100)
    posting.debit(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(20), now=timezone.now())
    with pytest.raises(refunds.NotRefundable):
        refund(payment)


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_lost_answer_pays_back_once(payment: Payment, bank: FaultySandbox, when: str) -> None:
    getattr(bank, when)["refund"] = unavailable
    pending = refund(payment)
    assert pending.status == "pending"
    getattr(bank, when).clear()
    with time_machine.travel(timezone.now() + timedelta(hours=2)):
        assert refunding.sweep(timezone.now()) == 1
        assert refunding.sweep(timezone.now()) == 0
    assert paid_back() == [2500]


@pytest.mark.parametrize("hours", [2, 30])
def test_a_refund_whose_key_is_forgotten_is_found(payment: Payment, bank: FaultySandbox, hours: int) -> None:
    """All of the payment was paid back, so asking again would be refused, and the credits would come back."""
    bank.after["refund"] = unavailable
    refund(payment)
    bank.after.clear()
    SandboxObject.objects.update(idempotency_key=None)
    with time_machine.travel(timezone.now() + timedelta(hours=hours)):
        assert refunding.sweep(timezone.now()) == 1
    assert Refund.objects.get().status == "succeeded"
    assert paid_back() == [2500]


def test_an_old_refund_that_the_gateway_never_got_is_paid(payment: Payment, bank: FaultySandbox) -> None:
    bank.before["refund"] = unavailable
    refund(payment, 10)
    bank.before.clear()
    with time_machine.travel(timezone.now() + timedelta(hours=30)):
        assert refunding.sweep(timezone.now()) == 1
    assert paid_back() == [1000]


def test_a_refund_that_a_new_key_does_not_know_stays_pending_and_is_not_looked_for_for_ever(
    payment: Payment, bank: FaultySandbox, settings: Any
) -> None:
    """It may have been paid, so the credits stay taken."""
    settings.OPERATOR_EMAIL = "operators@example.com"
    pending = refund(payment)
    Refund.objects.update(status="pending", next_attempt_at=timezone.now())
    SandboxObject.objects.filter(kind="refund").delete()
    for hours in (1, 30, 80, 200):
        with time_machine.travel(timezone.now() + timedelta(hours=hours)):
            refunding.sweep(timezone.now())
    pending.refresh_from_db()
    assert (pending.status, pending.next_attempt_at, pending.attempts) == ("pending", None, 3)
    assert posting.available(payment.organization_id, timezone.now()) == 0
    with time_machine.travel(timezone.now() + timedelta(hours=200)):
        emails.send_due({})
    assert [pending.public_id in letter.body for letter in mail.outbox] == [True] * 2


def test_after_any_number_of_tries_the_wait_is_an_hour(payment: Payment, bank: FaultySandbox) -> None:
    bank.before["refund"] = unavailable
    pending = refund(payment)
    Refund.objects.filter(pk=pending.pk).update(attempts=500)
    at = refunding.complete(pending.pk).next_attempt_at
    assert at
    assert timedelta(minutes=59) < at - timezone.now() <= timedelta(hours=1)


def test_what_the_gateway_refuses_is_credited_again(
    payment: Payment, organization: Organization, bank: FaultySandbox
) -> None:
    def refuse() -> None:
        raise GatewayRefused("charge_disputed")

    bank.before["refund"] = refuse
    failed = refund(payment)
    assert (failed.status, failed.failure_code, paid_back()) == ("failed", "charge_disputed", [])
    assert entries(organization)[-1] == ("reversal", 25)
    payment.refresh_from_db()
    assert payment.refunded == 0
    bank.before.clear()
    assert refund(payment).status == "succeeded"


def test_money_that_comes_back_days_later_is_credited_again(payment: Payment, organization: Organization) -> None:
    done = refund(payment)
    money = minor_units.money(Decimal(25), "USD")
    failed = gateways.Refund(done.gateway_reference, RefundState.FAILED, money, payment.intent, timezone.now())
    for _ in range(2):
        assert refunding.settle(done.pk, failed).status == "failed"
    assert entries(organization) == [("purchase", 25), ("refund", -25), ("reversal", 25)]


def test_a_payment_that_failed_is_not_refunded(organization: Organization) -> None:
    factories.card(organization, "pm_card_chargeDeclined")
    with pytest.raises(refunds.NotRefundable):
        refund(paid(organization))


def test_what_a_credit_note_gave_back_is_not_left(payment: Payment) -> None:
    assert payment.invoice
    crediting.give(payment.invoice, reason="Sorry", actor="user:1", now=timezone.now(), amount=Decimal(5))
    assert refunds.left_of(payment) == 20
    with pytest.raises(refunds.NotRefundable):
        refund(payment, "20.01")
    assert refund(payment).total == 20
    assert refunds.left_of(Payment.objects.get(pk=payment.pk)) == 0


def test_of_many_refunds_at_once_no_more_than_was_paid_goes_back(committed: None) -> None:
    organization = factories.organization()
    factories.card(organization)
    payment = paid(organization)
    race([partial(refund, payment, 10)] * 8)
    assert Refund.objects.filter(payment=payment, status="succeeded").count() == 2
    assert posting.available(organization.pk, timezone.now()) == 5


def test_the_database_refunds_no_more_than_was_paid(payment: Payment) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.filter(pk=payment.pk).update(refunded=Decimal("25.01"))


# The API


def path(payment: Payment) -> str:
    return f"/v1/payments/{payment.public_id}/refunds"


def test_the_company_refunds(gateway: Api, api: Any, alice: User, payment: Payment) -> None:
    key = uuid4().hex
    answers = [gateway.post(path(payment), {"amount": 10, "reason": "Sorry"}, idempotency_key=key) for _ in range(2)]
    first, again = (answer.json() for answer in answers)
    assert [answer.status_code for answer in answers] == [201, 201]
    assert first == again
    assert first.pop("id").startswith("re_")
    assert first.pop("created_at")
    assert first == {
        "payment": payment.public_id,
        "status": "succeeded",
        "amount": 10,
        "total": 10,
        "reason": "Sorry",
    }
    assert paid_back() == [1000]
    assert api(alice).get(f"/v1/payments/{payment.public_id}").json()["refunded"] == 10


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"reason": ""}, 400),
        ({"reason": "x", "amount": 0}, 400),
        ({"reason": "x", "amount": -1}, 400),
        ({"reason": "x", "amount": "25.01"}, 409),
        ({"reason": "x", "amount": "0.001"}, 409),
        ({"reason": "x", "currency": "EUR"}, 400),
        ({"reason": "x", "amuont": 5}, 400),
    ],
)
def test_a_bad_refund_moves_nothing(
    gateway: Api, payment: Payment, organization: Organization, body: dict[str, Any], status: int
) -> None:
    assert gateway.post(path(payment), body).status_code == status
    assert (paid_back(), entries(organization)) == ([], [("purchase", 25)])


def test_customers_refund_nothing(api: Any, alice: User, gateway: Api, payment: Payment) -> None:
    assert api(alice).post(path(payment), {"reason": "x"}).status_code == 403
    assert gateway.post(f"/v1/payments/pay_{'0' * 32}/refunds", {"reason": "x"}).status_code == 404
    assert paid_back() == []
