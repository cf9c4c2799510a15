"""Disputes, and refunds made at Stripe: the ledger follows the money, in whatever order we hear of it."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.utils import timezone

from accounts import emails
from accounts.models import Email, Event, Organization
from billing import accounts, tasks
from billing.ledger import posting
from billing.models import AutoRecharge, Dispute, GatewayCustomer, LedgerEntry, Payment, PolledGateway, Refund
from billing.payments import disputes, gateways, intents, payments, refunding, refunds
from billing.payments.gateways import DisputeState
from billing.payments.minor_units import Money
from tests import factories
from tests.billing.payments.buying import begin, paid
from tests.billing.payments.recharging import spend, state, switch_on
from tests.concurrency import race
from tests.stripe.process import StandIn


@pytest.fixture
def payment(customer: Organization) -> Payment:
    """25 dollars that were paid."""
    return paid(customer)


def hear() -> None:
    """Ask for the events, and handle them."""
    tasks.poll_gateway_events()
    tasks.handle_gateway_events()


def entries(organization: Organization) -> list[tuple[str, Any]]:
    return list(LedgerEntry.objects.of(organization).order_by("seq").values_list("kind", "amount"))


def event_types(organization: Organization, start: str) -> list[str]:
    events = Event.objects.of(organization).filter(type__startswith=start)
    return list(events.order_by("pk").values_list("type", flat=True))


def available(organization: Organization) -> Any:
    return posting.available(organization.pk, timezone.now())


def disputed(payment: Payment) -> Any:
    payment.refresh_from_db()
    return payment.disputed


# Disputes


def test_an_inquiry_takes_nothing(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    row = stand_in.dispute(intent=payment.intent, status="warning_needs_response")
    hear()
    assert (Dispute.objects.get().status, entries(customer)) == ("inquiry", [("purchase", 25)])
    stand_in.close_dispute(dispute=row["id"], status="warning_closed")
    hear()
    assert (Dispute.objects.get().status, event_types(customer, "dispute")) == (
        "closed",
        ["dispute.created", "dispute.closed"],
    )


def test_a_withdrawal_takes_the_credits_suspends_auto_recharge_and_tells_operators(
    payment: Payment, customer: Organization, stand_in: StandIn, settings: Any
) -> None:
    settings.OPERATOR_EMAIL = "operators@example.com"
    switch_on(customer)
    stand_in.dispute(intent=payment.intent)
    for _ in range(2):
        hear()
    assert entries(customer) == [("purchase", 25), ("chargeback", -25)]
    assert (disputed(payment), Dispute.objects.get().status) == (25, "open")
    assert (state(customer), AutoRecharge.objects.get().paused) == ("paused", "chargeback")
    assert event_types(customer, "dispute") == ["dispute.created", "dispute.funds_withdrawn"]
    emails.send_due({})
    letters = {message.to[0]: message.subject for message in mail.outbox}
    assert letters["operators@example.com"] == "A bank took a payment back"
    assert letters["billing@example.com"] == "Auto-recharge is paused"


def test_credits_that_were_spent_are_taken_all_the_same(
    payment: Payment, customer: Organization, stand_in: StandIn
) -> None:
    spend(customer, 20)
    stand_in.dispute(intent=payment.intent)
    hear()
    assert available(customer) == -20


def test_what_is_won_comes_back(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    row = stand_in.dispute(intent=payment.intent)
    hear()
    stand_in.close_dispute(dispute=row["id"], status="won")
    hear()
    assert entries(customer) == [("purchase", 25), ("chargeback", -25), ("reversal", 25)]
    assert LedgerEntry.objects.of(customer).get(kind="reversal").reverses_seq == 2
    assert (disputed(payment), Dispute.objects.get().status) == (0, "won")
    assert event_types(customer, "dispute")[-2:] == ["dispute.funds_reinstated", "dispute.closed"]


def test_what_is_lost_stays_taken(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    row = stand_in.dispute(intent=payment.intent, amount=1000)
    stand_in.close_dispute(dispute=row["id"], status="lost")
    hear()
    assert entries(customer) == [("purchase", 25), ("chargeback", -10)]
    assert (disputed(payment), Dispute.objects.get().status) == (10, "lost")


def test_parts_come_back_one_by_one(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    row = stand_in.dispute(intent=payment.intent)
    for amount in (400, 600):
        stand_in.reinstate(dispute=row["id"], amount=amount)
        hear()
    assert entries(customer)[2:] == [("reversal", 4), ("reversal", 6)]
    assert disputed(payment) == 15


def test_an_inquiry_becomes_a_chargeback_and_a_second_dispute_adds_to_it(
    payment: Payment, customer: Organization, stand_in: StandIn
) -> None:
    row = stand_in.dispute(intent=payment.intent, amount=1000, status="warning_needs_response")
    hear()
    stand_in.withdraw(dispute=row["id"])
    stand_in.dispute(intent=payment.intent, amount=500)
    hear()
    assert (disputed(payment), available(customer)) == (15, 10)


def test_the_tax_is_not_taken_from_the_credits(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    """Net 20, tax 5: what a part of the money was worth in credits, and all of them in the end."""
    Payment.objects.filter(pk=payment.pk).update(amount=20, tax=5)
    for amount in (833, 833, 834):
        stand_in.dispute(intent=payment.intent, amount=amount)
        hear()
    taken = [-amount for kind, amount in entries(customer) if kind == "chargeback"]
    assert taken == [Decimal("6.664"), Decimal("6.664"), Decimal("6.672")]
    assert disputed(payment) == 20
    LedgerEntry.objects.of(customer)
    posting.post(
        customer.pk, kind=LedgerEntry.Kind.REFUND, amount=Decimal(-5), now=timezone.now()
    )  # the purchase was posted without tax


def dispute(payment: Payment, state: DisputeState, withdrawn: int, reinstated: int) -> gateways.Dispute:
    money = Money(2500, "USD")
    return gateways.Dispute("du_1", state, money, payment.intent, "fraudulent", timezone.now(), withdrawn, reinstated)


def test_an_answer_that_is_older_than_another_changes_nothing(organization: Organization) -> None:
    factories.card(organization)
    payment, gateway = paid(organization), gateways.named("sandbox")
    before = dispute(payment, DisputeState.OPEN, 2500, 0)
    after = dispute(payment, DisputeState.WON, 2500, 2500)
    for answer in (after, before, after):
        disputes.observe(answer, gateway, timezone.now())
    assert (Dispute.objects.get().status, disputed(payment), available(organization)) == ("won", 0, 25)


def test_many_who_hear_of_it_at_once_take_it_once(committed: None) -> None:
    organization = factories.organization()
    factories.card(organization)
    payment, gateway = paid(organization), gateways.named("sandbox")
    id = f"du_{payment.pk.hex}"
    answer = gateways.Dispute(
        id, DisputeState.OPEN, Money(2500, "USD"), payment.intent, "", timezone.now(), withdrawn=2500
    )
    race([partial(disputes.observe, answer, gateway, timezone.now())] * 8)
    assert entries(organization) == [("purchase", 25), ("chargeback", -25)]


def test_the_sandbox_disputes_too(organization: Organization) -> None:
    factories.card(organization, "pm_card_createDispute")
    payment = paid(organization)
    hear()
    assert entries(organization) == [("purchase", 25), ("chargeback", -25)]
    assert disputed(payment) == 25


def test_an_account_with_an_open_dispute_is_not_closed(organization: Organization) -> None:
    factories.card(organization, "pm_card_createDispute")
    paid(organization)
    hear()
    with pytest.raises(accounts.AccountNotSettled):
        accounts.close(organization, now=timezone.now())


def test_a_warning_of_fraud_is_told_to_operators(payment: Payment, stand_in: StandIn, settings: Any) -> None:
    settings.OPERATOR_EMAIL = "operators@example.com"
    stand_in.warn(intent=payment.intent)
    hear()
    assert Email.objects.filter(to="operators@example.com").count() == 1


# Refunds at Stripe


def test_a_refund_made_at_stripe_takes_the_credits_even_if_they_were_spent(
    payment: Payment, customer: Organization, stand_in: StandIn
) -> None:
    spend(customer, 20)
    stand_in.refund(intent=payment.intent, amount=1000)
    for _ in range(2):
        hear()
    payment.refresh_from_db()
    assert (payment.refunded, available(customer)) == (10, -5)
    assert Refund.objects.get().status == "succeeded"
    assert event_types(customer, "refund") == ["refund.created", "refund.succeeded"]


def test_a_refund_that_fails_days_later_gives_the_credits_back(
    payment: Payment, customer: Organization, stand_in: StandIn
) -> None:
    row = stand_in.refund(intent=payment.intent, amount=2500)
    hear()
    stand_in.finish_refund(refund=row["id"], status="failed")
    hear()
    assert entries(customer)[1:] == [("refund", -25), ("reversal", 25)]
    payment.refresh_from_db()
    assert (payment.refunded, Refund.objects.get().status) == (0, "failed")


@pytest.mark.parametrize("ends", ["succeeded", "failed"])
def test_our_own_refund_may_be_pending_for_days(
    payment: Payment, customer: Organization, stand_in: StandIn, ends: str
) -> None:
    stand_in.fault("refunds.create", "pending")
    refund = refunding.complete(refunds.begin(payment, reason="Sorry", actor="test").pk)
    assert (refund.status, available(customer)) == ("pending", 0)
    stand_in.finish_refund(refund=refund.gateway_reference, status=ends)
    hear()
    assert (Refund.objects.get().status, available(customer)) == (ends, 25 if ends == "failed" else 0)


def test_our_own_refund_is_known_before_its_answer_is(
    payment: Payment, customer: Organization, stand_in: StandIn
) -> None:
    stand_in.fault("refunds.create", "cut_after")
    assert refunding.complete(refunds.begin(payment, reason="Sorry", actor="test").pk).status == "pending"
    hear()
    assert (Refund.objects.get().status, entries(customer)) == ("succeeded", [("purchase", 25), ("refund", -25)])


def test_a_disputed_payment_is_not_refunded(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    stand_in.dispute(intent=payment.intent, amount=1000)
    refund = refunding.complete(refunds.begin(payment, reason="Sorry", actor="test", amount=Decimal(5)).pk)
    assert (refund.status, refund.failure_code) == ("failed", "charge_disputed")
    hear()
    assert available(customer) == 15


def test_a_refund_heard_of_before_its_payment_settles_that_first(customer: Organization, stand_in: StandIn) -> None:
    stand_in.fault("payment_intents.confirm", "cut_after")
    payment = payments.complete(begin(customer).pk)
    row = stand_in.refund(intent=payment.intent, amount=1000)
    gateway = gateways.named("stripe")
    refunding.observe(gateway.retrieve_refund(row["id"]), gateway, timezone.now())
    assert entries(customer) == [("purchase", 25), ("refund", -10)]


def test_what_is_not_ours_is_left_alone(payment: Payment, customer: Organization, stand_in: StandIn) -> None:
    """The company may use its Stripe account for other things too."""
    gateway, theirs = gateways.named("stripe"), GatewayCustomer.objects.get().customer
    card = gateway.cards(theirs)[0].token
    made = gateway.create(
        customer=theirs, card=card, money=Money(700, "USD"), description="A T-shirt", metadata={}, idempotency_key="x"
    )
    gateway.confirm(made.id, card=card, return_url=None, idempotency_key="y")
    stand_in.refund(intent=made.id, amount=700)
    hear()
    assert entries(customer) == [("purchase", 25)]


# What no event told


def test_a_comparison_finds_what_no_event_told(customer: Organization, stand_in: StandIn) -> None:
    stand_in.fault("payment_intents.confirm", "cut_after")
    first = payments.complete(begin(customer, 40).pk)
    second = paid(customer)
    stand_in.configure(silent=True, page_size=2)
    stand_in.refund(intent=second.intent, amount=500)
    stand_in.dispute(intent=second.intent, amount=1000)
    tasks.poll_gateway_events()
    PolledGateway.objects.update(compared_at=None)
    assert tasks.compare_gateway()
    first.refresh_from_db()
    assert (first.status, available(customer)) == ("succeeded", 50)


def test_a_comparison_looks_at_old_disputes_that_have_no_end(
    payment: Payment, customer: Organization, stand_in: StandIn
) -> None:
    row = stand_in.dispute(intent=payment.intent)
    hear()
    Dispute.objects.update(created_at=timezone.now() - timedelta(days=90))
    stand_in.configure(silent=True)
    stand_in.close_dispute(dispute=row["id"], status="won")
    assert tasks.compare_gateway()
    assert (Dispute.objects.get().status, available(customer)) == ("won", 25)


def test_a_dispute_that_the_gateway_does_not_know_does_not_stop_the_comparison(
    payment: Payment, stand_in: StandIn
) -> None:
    tasks.poll_gateway_events()
    Dispute.objects.create(
        payment=payment,
        gateway_reference="du_of_another_account",
        total=25,
        created_at=timezone.now() - timedelta(days=90),
    )
    assert tasks.compare_gateway()
    assert PolledGateway.objects.get().compared_at is not None


def test_what_has_no_intent_is_not_ours(payment: Payment, stand_in: StandIn) -> None:
    """Others may charge without one in the same account of the gateway."""
    assert intents.paid("", gateways.named("stripe")) is None
