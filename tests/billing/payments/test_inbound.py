"""Stripe's events: those sent to `POST /webhooks/stripe`, and those found by polling."""

import json
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone
from stripe import WebhookSignature

from accounts.models import Organization
from billing import tasks
from billing.models import Payment, PaymentMethod, PolledGateway, ReceivedEvent
from billing.payments import gateways, observing, payments, saving_cards
from tests import factories
from tests.billing.payments.buying import begin, bought, paid
from tests.stripe.fixtures import SECRETS
from tests.stripe.process import StandIn

PATH = "/webhooks/stripe"
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "livemode": False,
    "data": {"object": {"id": "pi_nobody", "object": "payment_intent"}},
}

Deliveries = list[tuple[bytes, str]]


def post(body: bytes, signature: str) -> int:
    """The status of the answer. A 500 would be raised."""
    answer = Client().post(PATH, body, content_type="application/json", headers={"stripe-signature": signature})
    if answer.status_code >= 400:
        assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code


def send(secret: str = SECRETS[0], seconds_off: int = 0, **changes: Any) -> int:
    now = int(timezone.now().timestamp())
    body = json.dumps({**EVENT, "created": now, **changes})
    return post(body.encode(), str(WebhookSignature.generate_signature_header(body, secret, now + seconds_off)))


@pytest.fixture
def unanswered(customer: Organization, stand_in: StandIn) -> Payment:
    """Paid, but the answer that says so was lost."""
    stand_in.fault("payment_intents.confirm", "cut_after")
    payment = payments.complete(begin(customer).pk)
    assert (payment.status, stand_in.moved(intent=payment.intent)) == ("pending", 2500)
    return payment


# Deliveries


def test_a_delivery_settles_a_payment(
    unanswered: Payment, customer: Organization, stand_in: StandIn, deliveries: Deliveries
) -> None:
    stand_in.deliver(type="payment_intent.succeeded")
    assert {post(*delivery) for delivery in deliveries} == {200}
    assert bought(customer) == []
    tasks.handle_gateway_events()
    assert bought(customer) == [25]


def test_events_come_many_times_under_other_ids_and_in_any_order(
    unanswered: Payment, customer: Organization, stand_in: StandIn, deliveries: Deliveries
) -> None:
    mine = [event["id"] for event in stand_in.events() if event["data"]["object"]["id"] == unanswered.intent]
    stand_in.deliver(events=mine[::-1], copies=5)
    stand_in.deliver(events=mine, new_ids=True)
    for delivery in deliveries:
        post(*delivery)
        tasks.handle_gateway_events()
    assert bought(customer) == [25]
    assert ReceivedEvent.objects.filter(object_id=unanswered.intent).count() == 2 * len(mine)
    assert not ReceivedEvent.objects.filter(handled_at=None).exists()


def test_an_event_may_come_before_the_answer_that_caused_it(
    customer: Organization, stand_in: StandIn, deliveries: Deliveries
) -> None:
    """The row knows no intent yet: its metadata names the payment."""
    payment = begin(customer)
    stand_in.configure(mode="first")
    stand_in.fault("payment_intents.create", "cut_after")
    payments.complete(payment.pk)
    made = next(call for call in stand_in.events()[::-1] if call["data"]["object"].get("object") == "payment_intent")
    observing.look("intent", made["data"]["object"]["id"], gateways.named("stripe"), timezone.now())
    assert payments.complete(payment.pk).status == "succeeded"
    for delivery in deliveries:
        assert post(*delivery) == 200
    tasks.handle_gateway_events()
    assert bought(customer) == [25]


@pytest.mark.parametrize("secret", SECRETS)
def test_each_of_several_secrets_is_good(db: None, stand_in: StandIn, secret: str) -> None:
    assert send(secret) == 200
    assert ReceivedEvent.objects.get().event_id == "evt_1"


def test_what_stripe_did_not_sign_for_us_is_a_400(db: None, stand_in: StandIn) -> None:
    assert send("whsec_somebody_elses") == 400
    assert send(seconds_off=-3600) == send(seconds_off=3600) == 400
    assert send(livemode=True) == send(id="evt 1") == send(data=None) == send(type=7) == 400
    assert not ReceivedEvent.objects.exists()


@pytest.mark.parametrize(
    ("body", "signature"),
    [(b"\xff", "t=1,v1=0"), (b"{}", "é"), (b"{}", ""), (b"", "t=,v1="), (b"[" * 10_000, "t=1,v1=0"), (b"null", "t")],
)
def test_what_nobody_can_read_is_a_400(db: None, stand_in: StandIn, body: bytes, signature: str) -> None:
    assert post(body, signature) == 400


def test_without_a_secret_nothing_is_taken(db: None, stand_in: StandIn, settings: Any) -> None:
    settings.STRIPE_WEBHOOK_SECRETS = []
    assert send() == 400


def test_it_is_not_limited_by_address_and_takes_no_cookie(db: None, stand_in: StandIn, settings: Any) -> None:
    settings.ANONYMOUS_RATE_LIMIT = 1
    assert [send() for _ in range(3)] == [200] * 3
    assert Client().get(PATH).status_code == 405


def test_without_stripe_there_is_no_such_address(db: None, stand_in: StandIn, settings: Any) -> None:
    settings.PAYMENT_GATEWAY = "sandbox"
    assert send() == 404


def test_an_event_of_a_type_or_an_object_that_we_do_not_know_is_fine(db: None, stand_in: StandIn) -> None:
    assert send(type="invoice.paid") == send(api_version="2019-01-01") == 200
    assert tasks.handle_gateway_events() == 1


# Asking


def test_without_webhooks_asking_finds_it(unanswered: Payment, customer: Organization) -> None:
    for _ in range(2):
        tasks.poll_gateway_events()
    assert tasks.handle_gateway_events() > 0
    assert bought(customer) == [25]


def test_asking_goes_on_from_the_last_event_by_the_gateways_clock(unanswered: Payment, stand_in: StandIn) -> None:
    with time_machine.travel(timezone.now() + timedelta(hours=5)):  # our clock is wrong
        tasks.poll_gateway_events()
        tasks.handle_gateway_events()
    last = max(event["created"] for event in stand_in.events())
    assert PolledGateway.objects.get().events_through.timestamp() == last
    known = ReceivedEvent.objects.count()
    tasks.poll_gateway_events()
    assert ReceivedEvent.objects.count() == known


def test_a_card_is_kept_though_its_owner_never_came_back(customer: Organization, stand_in: StandIn) -> None:
    page = saving_cards.begin_setup(customer, return_url="https://app.example/", by="user:7")
    stand_in.complete(session=page.id, card="pm_card_mastercard")
    tasks.poll_gateway_events()
    tasks.handle_gateway_events()
    assert {card.brand for card in PaymentMethod.objects.of(customer)} == {"visa", "mastercard"}
    assert PaymentMethod.objects.of(customer).get(brand="mastercard").consent_by == "user:7"


def test_asking_in_vain_is_repeated(unanswered: Payment, customer: Organization, stand_in: StandIn) -> None:
    stand_in.fault("events.list", "status", status=401)
    for _ in range(2):
        tasks.poll_gateway_events()
    tasks.handle_gateway_events()
    assert bought(customer) == [25]


def test_an_installation_without_a_gateway_asks_nobody(db: None, settings: Any) -> None:
    settings.PAYMENT_GATEWAY = ""
    tasks.poll_gateway_events()
    assert not tasks.compare_gateway()


def test_what_is_known_as_paid_is_not_fetched_again(customer: Organization, stand_in: StandIn) -> None:
    paid(customer)
    tasks.poll_gateway_events()
    before = len(stand_in.calls())
    tasks.handle_gateway_events()
    fetched = {call["name"] for call in stand_in.calls()[before:]}
    assert "payment_intents.retrieve" not in fetched


# What can't be handled


def test_while_the_gateway_does_not_answer_events_wait(
    unanswered: Payment, customer: Organization, stand_in: StandIn
) -> None:
    tasks.poll_gateway_events()
    stand_in.fault("*", "status", status=503, times=3)
    assert tasks.handle_gateway_events() == 0
    stand_in.clear_faults()
    with time_machine.travel(timezone.now() + timedelta(minutes=10)):
        assert tasks.handle_gateway_events() > 0
    assert bought(customer) == [25]


def test_an_event_that_breaks_does_not_keep_the_others_from_being_handled(
    unanswered: Payment, customer: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_it(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setitem(observing.LOOKS, "setup", break_it)
    tasks.poll_gateway_events()
    tasks.handle_gateway_events()
    assert bought(customer) == [25]
    assert {event.subject for event in ReceivedEvent.objects.filter(handled_at=None)} == {"setup"}


def test_it_is_all_done_without_being_asked(settings: Any) -> None:
    scheduled = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled[tasks.poll_gateway_events.name] == 60
    assert scheduled[tasks.handle_gateway_events.name] == 10
    assert {tasks.compare_gateway.name, tasks.announce_expiring_cards.name} <= scheduled.keys()


def test_what_was_handled_long_ago_is_deleted(db: None, stand_in: StandIn) -> None:
    send()
    factories.organization()
    tasks.handle_gateway_events()
    with time_machine.travel(timezone.now() + timedelta(days=61)):
        PolledGateway.objects.create(gateway="stripe", events_through=timezone.now())
        assert tasks.compare_gateway()
        assert not tasks.compare_gateway()
    assert not ReceivedEvent.objects.exists()
