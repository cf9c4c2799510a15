"""Reading what comes to the webhook's address: from Stripe, from strangers, and what nobody can read."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from stripe import WebhookSignature

from billing.payments.gateways import GatewayEvent, InvalidWebhook, Subject
from billing.payments.gateways.stripe import StripeGateway, webhooks
from tests.billing.payments.gateways.world import World
from tests.stripe.fixtures import SECRETS
from tests.stripe.process import StandIn

NOW = timezone.now()
EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": int(NOW.timestamp()),
    "livemode": False,
    "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
}


def signature(body: str, secret: str = SECRETS[0], at: datetime = NOW) -> str:
    return str(WebhookSignature.generate_signature_header(body, secret, int(at.timestamp())))


def read(body: bytes, header: str, *, livemode: bool = False) -> GatewayEvent:
    return webhooks.read(body, header, secrets=SECRETS, livemode=livemode, now=NOW)


def signed(event: Any, **how: Any) -> GatewayEvent:
    body = json.dumps(event)
    return read(body.encode(), signature(body, **how))


@pytest.mark.parametrize("secret", SECRETS)
def test_a_delivery_signed_by_any_of_our_secrets_is_read(secret: str) -> None:
    event = signed(EVENT, secret=secret)
    assert (event.id, event.type, event.subject, event.object_id) == ("evt_1", EVENT["type"], Subject.INTENT, "pi_1")
    assert event.created_at.timestamp() == EVENT["created"]


@pytest.mark.parametrize(
    ("type", "inner", "subject", "object_id"),
    [
        ("setup_intent.succeeded", {"id": "seti_1"}, Subject.SETUP, "seti_1"),
        ("checkout.session.completed", {"id": "cs_1"}, Subject.SESSION, "cs_1"),
        ("payment_method.detached", {"id": "pm_1"}, Subject.CARD, "pm_1"),
        ("refund.failed", {"id": "re_1"}, Subject.REFUND, "re_1"),
        ("charge.dispute.closed", {"id": "du_1"}, Subject.DISPUTE, "du_1"),
        ("radar.early_fraud_warning.created", {"id": "f", "payment_intent": "pi_1"}, Subject.FRAUD_WARNING, "pi_1"),
        ("customer.deleted", {"id": "cus_1"}, Subject.CUSTOMER, "cus_1"),
        ("customer.created", {"id": "cus_1"}, Subject.OTHER, "cus_1"),
        ("a.type.of.next.year", {"object": "novelty"}, Subject.OTHER, ""),
    ],
)  # fmt: skip
def test_an_event_says_what_to_fetch(type: str, inner: dict[str, str], subject: Subject, object_id: str) -> None:
    event = signed({**EVENT, "type": type, "data": {"object": inner}, "api_version": "2019-01-01"})
    assert (event.subject, event.object_id) == (subject, object_id)


@pytest.mark.parametrize("minutes", [-4.9, 0, 4.9])
def test_a_delivery_may_be_five_minutes_off_in_both_directions(minutes: float) -> None:
    assert signed(EVENT, at=NOW + timedelta(minutes=minutes)).id == "evt_1"


@pytest.mark.parametrize("minutes", [-5.1, 5.1, -60 * 24, 60 * 24 * 365])
def test_a_stale_delivery_and_one_from_the_future_are_refused(minutes: float) -> None:
    with pytest.raises(InvalidWebhook):
        signed(EVENT, at=NOW + timedelta(minutes=minutes))


def test_an_old_delivery_is_not_made_new_by_a_second_time() -> None:
    body = json.dumps(EVENT)
    old = signature(body, at=NOW - timedelta(hours=1))
    for header in (f"{old},t={int(NOW.timestamp())}", f" t={int(NOW.timestamp())},{old}"):
        with pytest.raises(InvalidWebhook):
            read(body.encode(), header)


def test_a_forged_signature_is_refused() -> None:
    with pytest.raises(InvalidWebhook):
        signed(EVENT, secret="whsec_somebody_elses")
    with pytest.raises(InvalidWebhook):
        read(json.dumps({**EVENT, "id": "evt_2"}).encode(), signature(json.dumps(EVENT)))


def test_without_secrets_nothing_is_accepted() -> None:
    body = json.dumps(EVENT)
    with pytest.raises(InvalidWebhook):
        webhooks.read(body.encode(), signature(body, ""), secrets=[], livemode=False, now=NOW)


def test_the_mode_must_be_that_of_our_key() -> None:
    with pytest.raises(InvalidWebhook):
        signed({**EVENT, "livemode": True})
    body = json.dumps({**EVENT, "livemode": True})
    assert read(body.encode(), signature(body), livemode=True).id == "evt_1"
    with pytest.raises(InvalidWebhook):
        read(json.dumps(EVENT).encode(), signature(json.dumps(EVENT)), livemode=True)


@pytest.mark.parametrize(
    "header", ["", "t", "t=", "t=,v1=", "v1=ab", "t=x,v1=ab", "é", "t=1,v1=é", "t=1e9,v1=0", ",,,", "="]
)
def test_a_header_that_is_none_is_refused(header: str) -> None:
    with pytest.raises(InvalidWebhook):
        read(json.dumps(EVENT).encode(), header)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"\xed\xa0\x80"])
def test_a_body_that_is_no_text_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidWebhook):
        read(body, signature("", SECRETS[0]))


@pytest.mark.parametrize(
    "body",
    [
        "", "{", "[]", "null", "1", '"event"', "{}", '{"object": "event"}',
        '{"object": "v2.core.event", "id": "evt_1"}',
        "[" * 100_000,
        json.dumps({**EVENT, "data": None}), json.dumps({**EVENT, "data": {"object": []}}),
        json.dumps({**EVENT, "created": "yesterday"}), json.dumps({**EVENT, "created": 1e300}),
        json.dumps({**EVENT, "created": 10**30}), json.dumps({**EVENT, "type": 7}),
        json.dumps({**EVENT, "livemode": 0}), json.dumps({**EVENT, "id": 7}), json.dumps({**EVENT, "id": "evt\0"}),
        json.dumps({**EVENT, "id": "e" * 256}), json.dumps({**EVENT, "data": {"object": {"id": "pi 1"}}}),
        json.dumps({name: value for name, value in EVENT.items() if name != "id"}),
    ],
    ids=lambda body: body[:40],
)  # fmt: skip
def test_a_signed_delivery_that_is_no_event_is_refused(body: str) -> None:
    with pytest.raises(InvalidWebhook):
        read(body.encode(), signature(body))


def ours(delivery: tuple[bytes, str], now: datetime | None = None) -> GatewayEvent:
    return StripeGateway().read_webhook(*delivery, now or timezone.now())


def test_stripe_delivers_an_event_before_the_answer_that_made_it(
    stripe: World, stand_in: StandIn, deliveries: list[tuple[bytes, str]]
) -> None:
    intent = stripe.create(stripe.card())
    stand_in.configure(mode="first")
    stripe.confirm(intent)
    events = [ours(delivery) for delivery in deliveries]
    assert ("payment_intent.succeeded", intent.id) in [(event.type, event.object_id) for event in events]


def test_deliveries_come_late_many_times_and_under_other_ids(
    stripe: World, stand_in: StandIn, deliveries: list[tuple[bytes, str]]
) -> None:
    intent = stripe.paid()
    assert deliveries == []
    event = next(event for event in stripe.gateway.events(stripe.began) if event.object_id == intent.id)
    assert stand_in.deliver(events=[event.id], copies=5) == [200] * 5
    assert {ours(delivery) for delivery in deliveries} == {event}
    deliveries.clear()
    stand_in.deliver(events=[event.id], new_ids=True)
    again = ours(deliveries[0])
    assert (again.id != event.id, again.object_id) == (True, intent.id)


def test_what_the_stand_in_forges_or_sends_stale_is_refused(
    stripe: World, stand_in: StandIn, deliveries: list[tuple[bytes, str]]
) -> None:
    intent = stripe.paid()
    event = next(event for event in stripe.gateway.events(stripe.began) if event.object_id == intent.id)
    stand_in.deliver(events=[event.id], is_forged=True)
    stand_in.deliver(events=[event.id], seconds_off=-3600)
    stand_in.deliver(events=[event.id], seconds_off=3600)
    stand_in.deliver(events=[event.id], changes={"livemode": True})
    assert len(deliveries) == 4
    for delivery in deliveries:
        with pytest.raises(InvalidWebhook):
            ours(delivery)
