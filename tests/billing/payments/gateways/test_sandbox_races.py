"""Of the sandbox: calls at once, from several connections, move money once."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from billing.models import SandboxObject
from billing.payments.gateways import GatewayRefused, Intent, IntentState, Refund, UnexpectedState
from billing.payments.gateways.sandbox import SandboxGateway, store
from tests.billing.payments.gateways.people import SandboxPerson
from tests.billing.payments.gateways.world import World
from tests.concurrency import race


@pytest.fixture
def sandbox(committed: None) -> World:
    return World(SandboxGateway(), SandboxPerson(), timezone.now() - timedelta(seconds=1))


def confirmed(sandbox: World, number: int = 6) -> tuple[Intent, list[Any]]:
    """An intent, and the results of confirming it with other keys at once."""
    intent = sandbox.create(sandbox.card())
    return intent, race([lambda n=n: sandbox.confirm(intent, number=n) for n in range(number)])  # type: ignore[misc]


def succeeded_events(sandbox: World, intent: Intent) -> int:
    events = SandboxObject.objects.filter(kind="event", body__object_id=intent.id)
    return events.filter(body__type="payment_intent.succeeded").count()


def test_an_intent_succeeds_once(sandbox: World) -> None:
    intent, results = confirmed(sandbox)
    assert [result.state for result in results if isinstance(result, Intent)] == [IntentState.SUCCEEDED]
    assert sum(isinstance(result, UnexpectedState) for result in results) == 5
    assert succeeded_events(sandbox, intent) == 1


def test_without_the_lock_it_would_succeed_more_than_once(sandbox: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """The negative control."""
    monkeypatch.setattr(store, "lock", store.get)
    for _ in range(5):
        if succeeded_events(sandbox, confirmed(sandbox)[0]) > 1:
            return
    pytest.fail("the race did not show")


def test_one_key_makes_one_object(sandbox: World) -> None:
    card, payment = sandbox.card(), f"pay_{uuid4().hex}"
    intents = race([lambda: sandbox.create(card, payment=payment)] * 6)
    assert {intent.id for intent in intents} == {intents[0].id}


def test_refunds_at_once_stay_within_what_was_paid(sandbox: World) -> None:
    intent = sandbox.paid()
    results = race([lambda: sandbox.refund(intent, 200)] * 6)
    assert sum(isinstance(result, Refund) for result in results) == 2
    assert sum(isinstance(result, GatewayRefused) for result in results) == 4


def test_a_refund_sent_twice_at_once_is_one(sandbox: World) -> None:
    intent = sandbox.paid()
    refunds = race([lambda: sandbox.refund(intent, 200, key=f"refund:{intent.id}")] * 4)
    assert {refund.id for refund in refunds} == {refunds[0].id}
    assert SandboxObject.objects.get(pk=intent.id).body["refunded"] == 200


def test_a_page_is_used_once(sandbox: World) -> None:
    session = sandbox.checkout_session(sandbox.customer(), f"pay_{uuid4().hex}")
    race([lambda: sandbox.person.complete(session.url, "pm_card_visa")] * 4)
    assert len(sandbox.gateway.cards(session.customer)) == 1
