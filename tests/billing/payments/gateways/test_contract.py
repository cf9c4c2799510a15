"""What every gateway does alike, as `Gateway` says: saving a card, a payment, and what follows it."""

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from billing.payments.gateways import (
    CustomerDetails,
    Decline,
    GatewayRefused,
    IntentState,
    RefundState,
    SessionState,
    SetupState,
    Subject,
    UnexpectedState,
    UnknownCustomer,
    UnknownToken,
)
from billing.payments.minor_units import Money
from tests.billing.payments.gateways.world import FIVE_DOLLARS, RETURN_URL, World


def test_a_customer_is_made_once_for_a_key(world: World) -> None:
    details = CustomerDetails("cus_1", "Acme Inc.", "billing@example.com", "US")
    key = uuid4().hex
    assert world.gateway.customer(details, idempotency_key=key) == world.gateway.customer(details, idempotency_key=key)
    assert world.gateway.customer(details, idempotency_key=uuid4().hex) != world.customer()


def test_a_card_is_saved_on_the_gateways_page(world: World) -> None:
    customer = world.customer()
    session = world.setup_session(customer)
    assert (session.state, session.card, session.customer) == (SessionState.OPEN, None, customer)
    assert session.url
    assert session.expires_at > timezone.now()
    assert world.person.complete(session.url, "pm_card_mastercard") == f"{RETURN_URL}?session={session.id}"
    done = world.gateway.session(session.id)
    assert (done.state, done.url, done.metadata) == (SessionState.COMPLETE, "", {"account": "cus_1"})
    assert done.card
    assert (done.card.brand, done.card.last4, done.card.customer) == ("mastercard", "4444", customer)
    assert world.gateway.cards(customer) == [done.card]
    assert world.gateway.card(done.card.token) == done.card
    assert world.event_types(Subject.SESSION, session.id) == ["checkout.session.completed"]


def test_the_same_card_saved_twice_has_two_tokens_and_one_fingerprint(world: World) -> None:
    customer = world.customer()
    first, second, other = (world.card(name, customer) for name in ("pm_card_visa", "pm_card_visa", "pm_card_amex"))
    assert first.token != second.token
    assert first.fingerprint == second.fingerprint != other.fingerprint
    assert len(world.gateway.cards(customer)) == 3


def test_a_session_can_be_closed_and_not_used_then(world: World) -> None:
    session = world.checkout_session(world.customer(), "pay_1" + uuid4().hex)
    assert world.gateway.expire_session(session.id).state == SessionState.EXPIRED
    assert world.event_types(Subject.SESSION, session.id) == ["checkout.session.expired"]
    with pytest.raises(UnexpectedState):
        world.gateway.expire_session(session.id)


def test_a_session_of_a_customer_that_is_gone_is_refused(world: World) -> None:
    with pytest.raises(UnknownCustomer):
        world.setup_session("cus_nobody")


def test_a_checkout_takes_the_money_and_saves_the_card(world: World) -> None:
    customer, payment = world.customer(), f"pay_{uuid4().hex}"
    session = world.checkout_session(customer, payment)
    assert session.intent == ""
    assert world.checkout_session(customer, payment).id == session.id
    assert world.person.complete(session.url, "pm_card_visa") == f"{RETURN_URL}?session={session.id}"
    done = world.gateway.session(session.id)
    assert (done.state, done.metadata) == (SessionState.COMPLETE, {"payment": payment})
    intent = world.gateway.retrieve(done.intent)
    assert (intent.state, intent.received, intent.metadata) == (IntentState.SUCCEEDED, 500, {"payment": payment})
    assert (intent.money, intent.customer) == (FIVE_DOLLARS, customer)
    assert intent.card
    assert world.gateway.cards(customer) == [intent.card]


def test_a_decline_on_the_checkout_page_leaves_it_open_for_another_card(world: World) -> None:
    session = world.checkout_session(world.customer(), f"pay_{uuid4().hex}")
    refusal = world.person.complete(session.url, "pm_card_chargeDeclined")
    assert isinstance(refusal, Decline)
    assert world.gateway.session(session.id).state == SessionState.OPEN
    world.person.complete(session.url, "pm_card_visa")
    assert world.gateway.session(session.id).state == SessionState.COMPLETE


def test_a_token_is_saved_and_replayed_by_its_key(world: World) -> None:
    customer = world.customer()
    request: Any = {"customer": customer, "token": "pm_card_visa", "return_url": RETURN_URL, "metadata": {}}
    first, again = (world.gateway.save_card(**request, idempotency_key=f"save:{customer}") for _ in range(2))
    assert first == again == world.gateway.setup(first.id)
    assert (first.state, first.card) == (SetupState.SUCCEEDED, world.gateway.cards(customer)[0])


@pytest.mark.parametrize(("succeeded", "state"), [(True, SetupState.SUCCEEDED), (False, SetupState.FAILED)])
def test_a_token_may_need_an_authentication(world: World, succeeded: bool, state: SetupState) -> None:
    customer = world.customer()
    setup = world.save("pm_card_authenticationRequired", customer)
    assert setup.state == SetupState.ACTION_REQUIRED
    assert world.gateway.cards(customer) == []
    assert world.person.authenticate(setup.next_action_url, succeeded=succeeded).startswith(RETURN_URL)
    assert world.gateway.setup(setup.id).state == state
    assert len(world.gateway.cards(customer)) == succeeded


@pytest.mark.parametrize("token", ["pm_card_unheard_of", "pm_nothing", "PM_CARD_VISA"])
def test_an_unknown_token_is_refused(world: World, token: str) -> None:
    with pytest.raises(UnknownToken):
        world.save(token, world.customer())
    with pytest.raises(UnknownToken):
        world.gateway.card(token)


def test_a_removed_card_is_gone_and_cannot_be_charged(world: World) -> None:
    card = world.card()
    world.gateway.detach(card.token)
    world.gateway.detach(card.token)
    assert world.gateway.cards(card.customer) == []
    assert world.gateway.card(card.token).customer == ""
    with pytest.raises(UnknownToken):
        world.create(card)


def test_a_payment_is_made_and_then_confirmed(world: World) -> None:
    card = world.card()
    intent = world.create(card)
    assert (intent.state, intent.received, intent.money) == (IntentState.CREATED, 0, FIVE_DOLLARS)
    assert world.gateway.retrieve(intent.id).state == IntentState.CREATED
    paid = world.confirm(intent)
    assert (paid.id, paid.state, paid.received, paid.card) == (intent.id, IntentState.SUCCEEDED, 500, card)
    assert world.gateway.retrieve(intent.id) == paid
    assert "payment_intent.succeeded" in world.event_types(Subject.INTENT, intent.id)
    assert intent.id in [each.id for each in world.gateway.intents(world.began)]


def test_one_key_makes_one_intent_and_confirms_once(world: World) -> None:
    card, payment = world.card(), f"pay_{uuid4().hex}"
    intent = world.create(card, payment=payment)
    assert world.create(card, payment=payment).id == intent.id
    assert world.confirm(intent) == world.confirm(intent)
    with pytest.raises(UnexpectedState):
        world.confirm(intent, number=2)
    assert world.gateway.retrieve(intent.id).received == 500


def test_a_key_of_another_request_is_not_replayed(world: World) -> None:
    card, payment = world.card(), f"pay_{uuid4().hex}"
    world.create(card, payment=payment)
    with pytest.raises(UnexpectedState):
        world.create(card, payment=payment, money=Money(600, "USD"))


def test_an_intent_is_found_again_by_its_metadata(world: World) -> None:
    card, payment = world.card(), f"pay_{uuid4().hex}"
    world.create(card)
    look: Callable[[str], Any] = lambda name: world.gateway.find(  # noqa: E731
        customer=card.customer, metadata={"payment": name}, since=world.began
    )
    assert look(payment) is None
    assert world.create(card, payment=payment).id == look(payment).id


@pytest.mark.parametrize(
    ("name", "decline_code", "is_hard"),
    [
        ("pm_card_chargeDeclined", "generic_decline", False),
        ("pm_card_chargeDeclinedInsufficientFunds", "insufficient_funds", False),
        ("pm_card_chargeDeclinedLostCard", "lost_card", True),
        ("pm_card_chargeDeclinedStolenCard", "stolen_card", True),
        ("pm_card_chargeDeclinedExpiredCard", "", True),
    ],
)
def test_a_decline_is_an_answer(world: World, name: str, decline_code: str, is_hard: bool) -> None:
    intent = world.create(world.card(name))
    refused = world.confirm(intent)
    assert (refused.state, refused.received) == (IntentState.DECLINED, 0)
    assert refused.decline
    assert (refused.decline.decline_code, refused.decline.is_hard) == (decline_code, is_hard)
    assert world.confirm(intent) == refused == world.gateway.retrieve(intent.id)
    assert "payment_intent.payment_failed" in world.event_types(Subject.INTENT, intent.id)


def test_a_canceled_intent_never_succeeds(world: World) -> None:
    intent = world.confirm(world.create(world.card("pm_card_chargeDeclined")))
    canceled = world.gateway.cancel(intent.id)
    assert (canceled.state, world.gateway.cancel(intent.id).state) == (IntentState.CANCELED, IntentState.CANCELED)
    assert canceled.decline == intent.decline
    with pytest.raises(UnexpectedState):
        world.confirm(intent, number=2)


def test_canceling_what_succeeded_says_so(world: World) -> None:
    assert world.gateway.cancel(world.paid().id).state == IntentState.SUCCEEDED


@pytest.mark.parametrize(("succeeded", "state"), [(True, IntentState.SUCCEEDED), (False, IntentState.DECLINED)])
def test_an_absent_owner_authenticates_the_same_intent_later(world: World, succeeded: bool, state: IntentState) -> None:
    intent = world.confirm(world.create(world.card("pm_card_authenticationRequired")))
    assert (intent.state, intent.next_action_url) == (IntentState.ACTION_REQUIRED, "")
    assert world.gateway.retrieve(intent.id).state == IntentState.ACTION_REQUIRED
    redirected = world.confirm(intent, return_url=RETURN_URL, number=2)
    assert (redirected.id, redirected.state) == (intent.id, IntentState.ACTION_REQUIRED)
    assert world.person.authenticate(redirected.next_action_url, succeeded=succeeded).startswith(RETURN_URL)
    assert world.gateway.retrieve(intent.id).state == state


def test_a_decline_may_follow_an_authentication(world: World) -> None:
    name = "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds"
    intent = world.confirm(world.create(world.card(name)), return_url=RETURN_URL)
    world.person.authenticate(intent.next_action_url, succeeded=True)
    refused = world.gateway.retrieve(intent.id)
    assert refused.state == IntentState.DECLINED
    assert refused.decline
    assert refused.decline.decline_code == "insufficient_funds"


def test_a_card_authenticated_when_it_was_saved_is_charged_without_its_owner(world: World) -> None:
    assert world.paid("pm_card_authenticationRequiredOnSetup").state == IntentState.SUCCEEDED


def test_another_customers_card_is_refused(world: World) -> None:
    mine, theirs = world.card(), world.card()
    intent = world.create(mine)
    with pytest.raises(UnknownToken):
        world.gateway.confirm(intent.id, card=theirs.token, return_url=None, idempotency_key=uuid4().hex)
    assert world.gateway.retrieve(intent.id).received == 0


def test_an_unknown_intent_is_refused(world: World) -> None:
    with pytest.raises(GatewayRefused) as refusal:
        world.gateway.retrieve("pi_nothing")
    assert refusal.value.code == "resource_missing"


def test_refunds_go_up_to_what_was_paid_and_no_further(world: World) -> None:
    intent = world.paid()
    first = world.refund(intent, 200, key=f"refund:{intent.id}")
    assert (first.state, first.money, first.intent) == (RefundState.SUCCEEDED, Money(200, "USD"), intent.id)
    assert world.refund(intent, 200, key=f"refund:{intent.id}").id == first.id
    with pytest.raises(GatewayRefused):
        world.refund(intent, 301)
    second = world.refund(intent, 300)
    with pytest.raises(GatewayRefused) as refusal:
        world.refund(intent, 1)
    assert refusal.value.code == "charge_already_refunded"
    listed = {each.id for each in world.gateway.refunds(world.began) if each.intent == intent.id}
    assert listed == {first.id, second.id}
    assert world.gateway.retrieve_refund(first.id) == first
    assert "refund.created" in world.event_types(Subject.REFUND, first.id)


def test_what_was_not_paid_is_not_refunded(world: World) -> None:
    intent = world.create(world.card())
    with pytest.raises(GatewayRefused):
        world.refund(intent, 100)
    assert [each for each in world.gateway.refunds(world.began) if each.intent == intent.id] == []


def test_a_disputed_payment_says_what_was_withdrawn_and_is_not_refunded(world: World) -> None:
    intent = world.paid("pm_card_createDispute")
    (dispute,) = [each for each in world.gateway.disputes(world.began) if each.intent == intent.id]
    assert (dispute.withdrawn, dispute.reinstated, dispute.money) == (500, 0, FIVE_DOLLARS)
    assert world.gateway.retrieve_dispute(dispute.id) == dispute
    assert "charge.dispute.funds_withdrawn" in world.event_types(Subject.DISPUTE, dispute.id)
    with pytest.raises(GatewayRefused) as refusal:
        world.refund(intent, 100)
    assert refusal.value.code == "charge_disputed"


def test_the_credentials_are_good_for_everything(world: World) -> None:
    assert world.gateway.missing_permissions() == []
