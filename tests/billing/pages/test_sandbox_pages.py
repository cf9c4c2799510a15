"""The sandbox gateway's pages, in a browser that is signed in to nothing."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.utils import timezone

from billing.payments.gateways import SESSION_ID, IntentState, SessionState
from billing.payments.gateways.sandbox import SandboxGateway
from billing.payments.minor_units import Money
from tests.billing.payments.gateways.people import SandboxPerson
from tests.billing.payments.gateways.world import World
from tests.browser import text


@pytest.fixture
def world(db: None, settings: Any) -> World:
    settings.BASE_URL = "http://testserver"
    return World(SandboxGateway(), SandboxPerson(), timezone.now())


@pytest.fixture
def browser() -> Client:
    return Client(enforce_csrf_checks=False)


def checkout(world: World, success_url: str = f"http://testserver/back?session={SESSION_ID}") -> Any:
    return world.gateway.checkout_session(
        customer=world.customer(),
        money=Money(1250, "USD"),
        description="12.5 credits",
        success_url=success_url,
        cancel_url="http://testserver/cancel",
        expires_at=timezone.now() + timedelta(hours=1),
        metadata={"payment": "pay_1"},
        idempotency_key=uuid4().hex,
    )


def test_a_payment_is_made_with_a_test_card(world: World, browser: Client) -> None:
    session = checkout(world)
    page = browser.get(session.url)
    assert "Pay USD\N{NO-BREAK SPACE}12.50" in text(page)
    assert "12.5 credits" in text(page)
    answer = browser.post(session.url, {"card": "pm_card_visa"})
    assert (answer.status_code, answer["Location"]) == (302, f"http://testserver/back?session={session.id}")
    done = world.gateway.session(session.id)
    assert world.gateway.retrieve(done.intent).received == 1250


def test_a_decline_is_said_on_the_page_and_another_card_can_be_tried(world: World, browser: Client) -> None:
    session = checkout(world)
    answer = browser.post(session.url, {"card": "pm_card_chargeDeclinedInsufficientFunds"})
    assert answer.status_code == 402
    assert "This card was declined: insufficient funds. Try another one." in text(answer)
    assert browser.post(session.url, {"card": "pm_card_visa"}).status_code == 302


def test_a_card_is_saved(world: World, browser: Client) -> None:
    session = world.setup_session(world.customer())
    assert "Save a card" in text(browser.get(session.url))
    answer = browser.post(session.url, {"card": "pm_card_amex"})
    assert "https://tollgate.example/back" in text(answer)  # another site's address is linked to
    assert world.gateway.session(session.id).state == SessionState.COMPLETE


def test_no_card_is_no_choice(world: World, browser: Client) -> None:
    assert browser.post(checkout(world).url, {"card": "4242424242424242"}).status_code == 400


@pytest.mark.parametrize(("answer", "state"), [("complete", IntentState.SUCCEEDED), ("fail", IntentState.DECLINED)])
def test_an_owner_authenticates(world: World, browser: Client, answer: str, state: IntentState) -> None:
    card = world.card("pm_card_authenticationRequired")
    intent = world.confirm(world.create(card), return_url="http://testserver/back")
    assert "Authenticate" in text(browser.get(intent.next_action_url))
    assert browser.post(intent.next_action_url, {"answer": answer})["Location"] == "http://testserver/back"
    assert world.gateway.retrieve(intent.id).state == state
    assert browser.get(intent.next_action_url).status_code == 404


def test_a_page_that_is_used_or_unknown_is_not_there(world: World, browser: Client) -> None:
    session = checkout(world)
    browser.post(session.url, {"card": "pm_card_visa"})
    assert browser.get(session.url).status_code == 404
    assert browser.post(session.url, {"card": "pm_card_visa"}).status_code == 404
    for path in ("/sandbox/sessions/cs_sandbox_1/", "/sandbox/authentications/pi_1/", "/sandbox/authentications/x/"):
        assert browser.get(path).status_code == 404
        assert browser.post(path, {"card": "pm_card_visa", "answer": "complete"}).status_code == 404


def test_there_are_no_such_pages_with_another_gateway(world: World, browser: Client, settings: Any) -> None:
    session = checkout(world)
    settings.PAYMENT_GATEWAY = "stripe"
    assert browser.get(session.url).status_code == 404
    assert browser.post(session.url, {"card": "pm_card_visa"}).status_code == 404
    assert world.gateway.session(session.id).state == SessionState.OPEN
