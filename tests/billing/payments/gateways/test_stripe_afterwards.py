"""What happens to a payment, a card or a customer later, mostly without us: in the dashboard, at banks and networks."""

from typing import Any
from uuid import uuid4

import pytest
import requests
from django.utils import timezone

from billing.payments.gateways import (
    Dispute,
    DisputeState,
    GatewayRefused,
    IntentState,
    RefundState,
    SessionState,
    Subject,
    UnknownCustomer,
    UnknownToken,
)
from billing.payments.minor_units import Money
from tests.billing.payments.gateways.people import StripePerson
from tests.billing.payments.gateways.world import RETURN_URL, World
from tests.stripe.process import StandIn


@pytest.mark.parametrize(("status", "state"), [("succeeded", RefundState.SUCCEEDED), ("failed", RefundState.FAILED)])
def test_a_refund_may_be_pending(stripe: World, stand_in: StandIn, status: str, state: RefundState) -> None:
    intent = stripe.paid()
    stand_in.fault("refunds.create", "pending")
    refund = stripe.refund(intent, 300)
    assert (refund.state, stand_in.moved("refunded", intent=intent.id)) == (RefundState.PENDING, 0)
    stand_in.finish_refund(refund=refund.id, status=status)
    ended = stripe.gateway.retrieve_refund(refund.id)
    assert (ended.state, bool(ended.failure_reason)) == (state, status == "failed")
    assert stand_in.moved("refunded", intent=intent.id) == (300 if status == "succeeded" else 0)
    assert stripe.refund(intent, 200).state == RefundState.SUCCEEDED


def test_a_refund_that_succeeded_may_fail_days_later(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.paid()
    refund = stripe.refund(intent, 500)
    stand_in.finish_refund(refund=refund.id, status="failed")
    assert stripe.gateway.retrieve_refund(refund.id).state == RefundState.FAILED
    assert stripe.event_types(Subject.REFUND, refund.id) == ["refund.created", "refund.failed"]
    assert stand_in.moved("returned", intent=intent.id) == 500


def test_a_refund_made_in_the_dashboard_is_told_and_listed(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.paid()
    id = stand_in.refund(intent=intent.id, amount=150)["id"]
    assert stripe.event_types(Subject.REFUND, id) == ["refund.created"]
    refund = stripe.gateway.retrieve_refund(id)
    assert (refund.intent, refund.money, refund.metadata) == (intent.id, Money(150, "USD"), {})
    assert refund in stripe.gateway.refunds(stripe.began)


def dispute_of(stripe: World, stand_in: StandIn, **details: Any) -> tuple[Any, Dispute]:
    intent = stripe.paid()
    id = stand_in.dispute(intent=intent.id, **details)["id"]
    return intent, stripe.gateway.retrieve_dispute(id)


def test_an_inquiry_moves_no_money_and_can_be_refunded(stripe: World, stand_in: StandIn) -> None:
    intent, dispute = dispute_of(stripe, stand_in, status="warning_needs_response")
    assert (dispute.state, dispute.withdrawn, dispute.intent) == (DisputeState.INQUIRY, 0, intent.id)
    assert stripe.refund(intent, 500).state == RefundState.SUCCEEDED
    stand_in.close_dispute(dispute=dispute.id, status="warning_closed")
    assert stripe.gateway.retrieve_dispute(dispute.id).state == DisputeState.CLOSED


def test_an_inquiry_may_become_a_chargeback(stripe: World, stand_in: StandIn) -> None:
    _, dispute = dispute_of(stripe, stand_in, status="warning_needs_response")
    stand_in.withdraw(dispute=dispute.id)
    after = stripe.gateway.retrieve_dispute(dispute.id)
    assert (after.state, after.withdrawn) == (DisputeState.OPEN, 500)


def test_a_part_is_withdrawn_and_lost(stripe: World, stand_in: StandIn) -> None:
    intent, dispute = dispute_of(stripe, stand_in, amount=200)
    assert (dispute.money, dispute.withdrawn) == (Money(200, "USD"), 200)
    stand_in.close_dispute(dispute=dispute.id, status="lost")
    after = stripe.gateway.retrieve_dispute(dispute.id)
    assert (after.state, after.withdrawn, after.reinstated) == (DisputeState.LOST, 200, 0)
    assert stand_in.moved("withdrawn", intent=intent.id) == 200


def test_what_is_won_is_reinstated(stripe: World, stand_in: StandIn) -> None:
    _, dispute = dispute_of(stripe, stand_in)
    stand_in.close_dispute(dispute=dispute.id, status="won")
    after = stripe.gateway.retrieve_dispute(dispute.id)
    assert (after.state, after.withdrawn, after.reinstated) == (DisputeState.WON, 500, 500)
    types = stripe.event_types(Subject.DISPUTE, dispute.id)
    assert sorted(types) == [
        "charge.dispute.closed",
        "charge.dispute.created",
        "charge.dispute.funds_reinstated",
        "charge.dispute.funds_withdrawn",
    ]


def test_a_part_may_be_reinstated(stripe: World, stand_in: StandIn) -> None:
    _, dispute = dispute_of(stripe, stand_in)
    stand_in.reinstate(dispute=dispute.id, amount=100)
    assert stripe.gateway.retrieve_dispute(dispute.id).reinstated == 100


def test_any_dispute_of_a_payment_keeps_it_from_being_refunded(stripe: World, stand_in: StandIn) -> None:
    intent, _ = dispute_of(stripe, stand_in, amount=100, status="warning_needs_response")
    second = stand_in.dispute(intent=intent.id, amount=200)["id"]
    with pytest.raises(GatewayRefused) as refusal:
        stripe.refund(intent, 100)
    assert refusal.value.code == "charge_disputed"
    assert second in [dispute.id for dispute in stripe.gateway.disputes(stripe.began)]


def test_a_card_renewed_by_its_network_is_told(stripe: World, stand_in: StandIn) -> None:
    card = stripe.card()
    stand_in.update_card(card=card.token, exp_year=2045)
    assert stripe.event_types(Subject.CARD, card.token) == ["payment_method.automatically_updated"]
    assert stripe.gateway.card(card.token).exp_year == 2045


def test_a_card_removed_in_the_dashboard_is_told_and_not_charged(stripe: World, stand_in: StandIn) -> None:
    card = stripe.card()
    intent = stripe.create(card)
    stand_in.detach(card=card.token)
    assert stripe.event_types(Subject.CARD, card.token) == ["payment_method.detached"]
    assert stripe.gateway.card(card.token).customer == ""
    with pytest.raises(UnknownToken):
        stripe.confirm(intent)
    assert stand_in.moved(intent=intent.id) == 0


def test_a_deleted_customer_is_told_and_its_cards_are_gone(stripe: World, stand_in: StandIn) -> None:
    card = stripe.card()
    stand_in.delete_customer(customer=card.customer)
    assert stripe.event_types(Subject.CUSTOMER, card.customer) == ["customer.deleted"]
    for refused in (lambda: stripe.create(card), lambda: stripe.setup_session(card.customer)):
        with pytest.raises(UnknownCustomer):
            refused()
    assert stripe.gateway.card(card.token).customer == ""


def test_lists_come_in_pages(stripe: World, stand_in: StandIn) -> None:
    customer = stripe.customer()
    cards = [stripe.card(customer=customer) for _ in range(5)]
    intents = [stripe.create(card) for card in cards]
    stand_in.configure(page_size=2)
    assert {card.token for card in stripe.gateway.cards(customer)} == {card.token for card in cards}
    assert {intent.id for intent in intents} <= {intent.id for intent in stripe.gateway.intents(stripe.began)}
    for intent in intents:
        match = stripe.gateway.find(customer=customer, metadata=intent.metadata or {}, since=stripe.began)
        assert match
        assert match.id == intent.id


def test_events_come_oldest_first(stripe: World, stand_in: StandIn) -> None:
    stand_in.configure(page_size=3)
    intent = stripe.paid()
    stripe.refund(intent, 100)
    events = list(stripe.gateway.events(stripe.began))
    moments = [event.created_at for event in events]
    assert moments == sorted(moments)
    mine = [event.type for event in events if event.object_id == intent.id]
    assert mine == ["payment_intent.succeeded"]
    assert len({event.id for event in events}) == len(events)


def test_an_event_that_was_never_made_is_found_by_comparing(stripe: World, stand_in: StandIn) -> None:
    stand_in.configure(silent=True)
    intent = stripe.paid()
    assert stripe.event_types(Subject.INTENT, intent.id) == []
    assert intent in stripe.gateway.intents(stripe.began)


def test_a_session_that_nobody_uses_expires(stripe: World, stand_in: StandIn) -> None:
    session = stripe.checkout_session(stripe.customer(), f"pay_{timezone.now().timestamp()}")
    stand_in.expire_session(session=session.id)
    assert stripe.event_types(Subject.SESSION, session.id) == ["checkout.session.expired"]
    assert (stripe.gateway.session(session.id).state, stripe.gateway.session(session.id).url) == ("expired", "")


def test_a_person_in_a_browser_pays_on_stripes_page_and_authenticates_on_the_banks(
    stripe: World, stand_in: StandIn
) -> None:
    session = stripe.checkout_session(stripe.customer(), f"pay_{timezone.now().timestamp()}")
    assert "<h1>Pay</h1>" in requests.get(session.url, timeout=10).text
    answer = requests.post(session.url, {"card": "pm_card_visa"}, allow_redirects=False, timeout=10)
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{RETURN_URL}?session={session.id}")
    assert "no longer open" in requests.get(session.url, timeout=10).text
    intent = stripe.confirm(stripe.create(stripe.card("pm_card_authenticationRequired")), return_url=RETURN_URL)
    answer = requests.post(intent.next_action_url, {"succeeded": "true"}, allow_redirects=False, timeout=10)
    assert answer.headers["Location"].startswith(f"{RETURN_URL}?payment_intent={intent.id}")
    assert stripe.gateway.retrieve(intent.id).state == IntentState.SUCCEEDED


def test_a_warning_of_fraud_names_the_payment(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.paid()
    stand_in.warn(intent=intent.id)
    assert stripe.event_types(Subject.FRAUD_WARNING, intent.id) == ["radar.early_fraud_warning.created"]


def test_after_a_day_sessions_expire_and_keys_are_forgotten(stripe: World, settings: Any) -> None:
    with StandIn() as another:  # its clock is moved, which would disturb the other tests
        settings.STRIPE_API_BASE = another.address
        stripe.person = StripePerson(another)
        card, payment = stripe.card(), f"pay_{uuid4().hex}"
        session, intent = stripe.setup_session(card.customer), stripe.create(card, payment=payment)
        another.advance(seconds=25 * 3600)
        assert stripe.create(card, payment=payment).id != intent.id
        assert stripe.gateway.session(session.id).state == SessionState.EXPIRED
        assert stripe.event_types(Subject.SESSION, session.id) == ["checkout.session.expired"]
