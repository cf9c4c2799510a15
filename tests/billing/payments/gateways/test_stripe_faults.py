"""Every fault that Stripe or the way to it can have: what Tollgate hears of it, and that money moves once."""

import os
import signal
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
import stripe as library
from stripe import StripeClient

from billing.payments.gateways import (
    GatewayMisconfigured,
    GatewayRefused,
    GatewayUnavailable,
    Intent,
    IntentState,
    SetupState,
    UnexpectedState,
)
from billing.payments.gateways.stripe import client
from billing.payments.minor_units import MINIMUMS, Money, NotChargeable, charge
from tests.billing.payments.gateways.world import World
from tests.concurrency import race
from tests.stripe.process import StandIn

CONFIRM = "payment_intents.confirm"
CREATE = "payment_intents.create"
WITHOUT_EFFECT: list[dict[str, Any]] = [
    {"kind": "cut_before"},
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 502},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 200},
    {"kind": "status", "status": 429},
    {"kind": "key_in_use"},
    {"kind": "lock_timeout"},
]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits half a second for an answer, not 20."""
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.5)


def calls(stand_in: StandIn, name: str, key: str) -> int:
    return sum(call["name"] == name and call["key"] == key for call in stand_in.calls())


def confirm_key(intent: Intent, number: int = 1) -> str:
    return f"{(intent.metadata or {})['payment']}:confirm:{number}"


@pytest.mark.parametrize("fault", WITHOUT_EFFECT, ids=lambda fault: f"{fault['kind']}{fault.get('status', '')}")
def test_a_call_that_had_no_effect_is_unavailable_and_works_with_the_same_key(
    stripe: World, stand_in: StandIn, fault: dict[str, Any]
) -> None:
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, **fault)
    with pytest.raises(GatewayUnavailable):
        stripe.confirm(intent)
    assert stripe.gateway.retrieve(intent.id).state == IntentState.CREATED
    assert stand_in.moved(intent=intent.id) == 0
    assert stripe.confirm(intent).state == IntentState.SUCCEEDED
    assert stand_in.moved(intent=intent.id) == 500


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", [{"kind": "cut_after"}, {"kind": "late", "seconds": 2}, {"kind": "stored_500"}])
def test_a_lost_answer_is_unavailable_and_retrieving_tells(
    stripe: World, stand_in: StandIn, fault: dict[str, Any]
) -> None:
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, **fault)
    with pytest.raises(GatewayUnavailable):
        stripe.confirm(intent)
    assert stripe.gateway.retrieve(intent.id).state == IntentState.SUCCEEDED
    with pytest.raises(UnexpectedState):
        stripe.confirm(intent, number=2)
    assert stand_in.moved(intent=intent.id) == 500


def test_a_stored_500_comes_again_for_its_key_for_ever(stripe: World, stand_in: StandIn) -> None:
    """Why every doubt is a `retrieve`: asking again with the key would never end."""
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, "stored_500")
    for _ in range(3):
        with pytest.raises(GatewayUnavailable):
            stripe.confirm(intent)
    assert stripe.gateway.retrieve(intent.id).state == IntentState.SUCCEEDED


def test_what_moves_money_is_called_once_and_what_reads_three_times(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, "status", status=500)
    with pytest.raises(GatewayUnavailable):
        stripe.confirm(intent)
    assert calls(stand_in, CONFIRM, confirm_key(intent)) == 1
    stand_in.fault("payment_intents.retrieve", "status", status=500, times=2)
    assert stripe.gateway.retrieve(intent.id).state == IntentState.CREATED


def test_no_telemetry_is_sent(stripe: World, stand_in: StandIn) -> None:
    stripe.paid()
    assert not [call for call in stand_in.calls() if call["has_telemetry"]]


@pytest.mark.parametrize("kind", ["cut_after", "stored_500"])
def test_a_create_whose_answer_is_lost_makes_one_intent(stripe: World, stand_in: StandIn, kind: str) -> None:
    card, payment = stripe.card(), f"pay_{uuid4().hex}"
    stand_in.fault(CREATE, kind)
    with pytest.raises(GatewayUnavailable):
        stripe.create(card, payment=payment)
    lost = stripe.gateway.find(customer=card.customer, metadata={"payment": payment}, since=stripe.began)
    assert lost
    assert lost.state == IntentState.CREATED
    if kind == "cut_after":
        assert stripe.create(card, payment=payment).id == lost.id


def test_a_forgotten_key_would_make_a_second_intent_so_an_old_row_looks_first(stripe: World, stand_in: StandIn) -> None:
    card, payment = stripe.card(), f"pay_{uuid4().hex}"
    first = stripe.create(card, payment=payment)
    stand_in.forget_keys()
    match = stripe.gateway.find(customer=card.customer, metadata={"payment": payment}, since=stripe.began)
    assert match
    assert match.id == first.id
    assert stripe.create(card, payment=payment).id != first.id


def test_the_same_key_at_once_charges_once(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.create(stripe.card())
    results = race([lambda: stripe.confirm(intent)] * 8)
    states = {result.state for result in results if isinstance(result, Intent)}
    assert states == {IntentState.SUCCEEDED}
    assert all(isinstance(result, Intent | GatewayUnavailable) for result in results)
    assert stand_in.moved(intent=intent.id) == 500


def test_other_keys_at_once_charge_once_too(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.create(stripe.card())
    results = race([lambda n=n: stripe.confirm(intent, number=n) for n in range(8)])  # type: ignore[misc]
    assert [result.state for result in results if isinstance(result, Intent)] == [IntentState.SUCCEEDED]
    assert sum(isinstance(result, UnexpectedState) for result in results) == 7
    assert stand_in.moved(intent=intent.id) == 500


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("call", ["customers.create", CREATE, CONFIRM, "payment_intents.retrieve"])
def test_wrong_credentials_are_no_decline(stripe: World, stand_in: StandIn, status: int, call: str) -> None:
    stand_in.fault(call, "status", status=status)
    with pytest.raises(GatewayMisconfigured):
        stripe.gateway.retrieve(stripe.confirm(stripe.create(stripe.card())).id)


@pytest.mark.parametrize("key", ["pk_test_1", "sk_live_other"])
def test_a_key_that_stripe_does_not_know_is_misconfigured(stripe: World, settings: Any, key: str) -> None:
    settings.STRIPE_SECRET_KEY = key
    with pytest.raises(GatewayMisconfigured):
        stripe.gateway.missing_permissions()


def test_a_missing_permission_is_named(stripe: World, stand_in: StandIn) -> None:
    stand_in.fault("disputes.list", "status", status=403)
    stand_in.fault("sessions.list", "status", status=403)
    assert stripe.gateway.missing_permissions() == ["Checkout Sessions", "Disputes"]


@pytest.mark.parametrize(
    ("codes", "is_hard"),
    [
        ({"code": "card_declined", "decline_code": "insufficient_funds", "advice_code": "try_again_later"}, False),
        ({"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"}, True),
        ({"code": "card_declined", "decline_code": "lost_card"}, True),
        ({"code": "expired_card", "advice_code": "confirm_card_data"}, True),
    ],
)
def test_a_decline_keeps_its_codes(stripe: World, stand_in: StandIn, codes: dict[str, str], is_hard: bool) -> None:
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, "decline", codes=codes)
    refused = stripe.confirm(intent)
    assert refused.state == IntentState.DECLINED
    assert refused.decline
    read = {name: getattr(refused.decline, name) for name in codes}
    assert (read, refused.decline.is_hard) == (codes, is_hard)
    assert refused.card == intent.card
    assert stand_in.moved(intent=intent.id) == 0


def test_a_card_may_be_declined_while_it_is_saved(stripe: World, stand_in: StandIn) -> None:
    customer = stripe.customer()
    codes = {"code": "card_declined", "decline_code": "stolen_card"}
    stand_in.fault("setup_intents.create", "decline", codes=codes)
    setup = stripe.save("pm_card_visa", customer)
    assert setup.state == SetupState.FAILED
    assert setup.decline
    assert setup.decline.is_hard
    assert stripe.gateway.cards(customer) == []


@pytest.mark.parametrize(("succeeded", "state"), [(True, IntentState.SUCCEEDED), (False, IntentState.DECLINED)])
def test_a_payment_may_take_its_time(stripe: World, stand_in: StandIn, succeeded: bool, state: IntentState) -> None:
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, "processing")
    assert stripe.confirm(intent).state == IntentState.PROCESSING
    assert stripe.gateway.cancel(intent.id).state == IntentState.PROCESSING
    stand_in.finish(intent=intent.id, succeeded=succeeded)
    assert stripe.gateway.retrieve(intent.id).state == state


def test_what_succeeds_after_it_was_given_up_says_so(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.create(stripe.card())
    assert stripe.gateway.cancel(intent.id).state == IntentState.CANCELED
    stand_in.finish(intent=intent.id, succeeded=True)
    assert stripe.gateway.retrieve(intent.id).state == IntentState.SUCCEEDED


def test_an_abandoned_authentication_leaves_the_intent_open_until_it_is_canceled(
    stripe: World, stand_in: StandIn
) -> None:
    intent = stripe.confirm(stripe.create(stripe.card("pm_card_authenticationRequired")))
    assert stripe.gateway.cancel(intent.id).state == IntentState.CANCELED
    assert stand_in.moved(intent=intent.id) == 0


@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY", "HUF", "ISK", "KWD", "CLP", "GBP", "CZK"])
def test_what_our_table_allows_stripe_takes(stripe: World, currency: str) -> None:
    money = charge(MINIMUMS[currency], currency)
    assert stripe.confirm(stripe.create(stripe.card(), money=money)).money == money


@pytest.mark.parametrize(
    ("money", "code"),
    [
        (Money(49, "USD"), "amount_too_small"), (Money(10**8, "USD"), "amount_too_large"),
        (Money(1255, "KWD"), "invalid_charge_amount"), (Money(550, "ISK"), "invalid_charge_amount"),
        (Money(175, "HUF"), "amount_too_small"),
    ],
)  # fmt: skip
def test_an_amount_that_stripe_does_not_take_is_refused_for_good(stripe: World, money: Money, code: str) -> None:
    with pytest.raises(GatewayRefused) as refusal:
        stripe.create(stripe.card(), money=money)
    assert refusal.value.code == code
    with pytest.raises(NotChargeable):  # and our table refuses it first
        charge(money.amount, money.currency)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported"),
        ({"alowed_payment_method_types": ["card"]}, "parameter_unknown"),
        ({"amount": "five"}, None),
    ],
)
def test_the_stand_in_knows_the_librarys_own_parameters(stripe: World, params: dict[str, Any], code: str) -> None:
    with pytest.raises(library.InvalidRequestError) as refusal:
        client.client().v1.payment_intents.create({"amount": 500, "currency": "usd", **params})  # type: ignore[typeddict-item]
    assert refusal.value.code == code


def test_the_stand_in_knows_one_version_of_the_api(stand_in: StandIn) -> None:
    other = StripeClient("sk_test_1", stripe_version="2024-06-20", base_addresses={"api": stand_in.address})
    with pytest.raises(library.InvalidRequestError):
        other.v1.customers.list()


def killed(work: Callable[[int], Any]) -> bytes:
    """Run `work` in another process, kill -9 it once it wrote to its pipe; what it wrote."""
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            work(writer)
            signal.pause()
        finally:
            os._exit(1)
    written = os.read(reader, 100)
    os.kill(child, signal.SIGKILL)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    os.close(reader)
    os.close(writer)
    return written


def test_a_forked_process_has_a_client_of_its_own(stand_in: StandIn) -> None:
    """With its parent's connections it could read its parent's answers."""
    ours = id(client.client())
    theirs = killed(lambda pipe: os.write(pipe, str(id(client.client())).encode()))
    assert (int(theirs) != ours, id(client.client())) == (True, ours)


def test_a_client_killed_between_create_and_confirm_has_charged_nothing_and_can_go_on(
    stripe: World, stand_in: StandIn
) -> None:
    card = stripe.card()
    id = killed(lambda pipe: os.write(pipe, stripe.create(card).id.encode())).decode()
    intent = stripe.gateway.retrieve(id)
    assert (intent.state, stand_in.moved(intent=id)) == (IntentState.CREATED, 0)
    assert stripe.confirm(intent).state == IntentState.SUCCEEDED
    assert stand_in.moved(intent=id) == 500


def test_a_client_killed_after_the_effect_of_confirm_finds_it_succeeded(stripe: World, stand_in: StandIn) -> None:
    intent = stripe.create(stripe.card())
    stand_in.fault(CONFIRM, "late", seconds=5)

    def confirm(pipe: int) -> None:
        if os.fork():
            stripe.confirm(intent)  # its answer comes too late
        while not stand_in.moved(intent=intent.id):
            pass
        os.write(pipe, b"charged")
        os._exit(0)

    killed(confirm)
    assert stripe.gateway.retrieve(intent.id).state == IntentState.SUCCEEDED
    with pytest.raises(UnexpectedState):
        stripe.confirm(intent, number=2)
    assert stand_in.moved(intent=intent.id) == 500
