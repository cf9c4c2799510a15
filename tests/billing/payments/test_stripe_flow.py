"""Payments against the stand-in for Stripe, over HTTP, with the faults that it makes.

The fixture `customer` checks after each test that no money was made or lost. `PAYMENT_FAULTS=all` tries every fault at
every call.
"""

import os
import time
from decimal import Decimal
from typing import Any

import pytest
import requests

from accounts.models import Event, Organization, User
from billing import tasks
from billing.models import LedgerEntry, Payment, PaymentMethod
from billing.payments import payments, recharge, saving_cards
from billing.payments.gateways.stripe import client
from config.middleware import AFTERWARDS_SECONDS
from tests import factories
from tests.billing.payments.buying import begin, bought, later, paid, sweep
from tests.billing.payments.recharging import switch_on
from tests.conftest import Api
from tests.stripe.process import StandIn

FAULTS: list[dict[str, Any]] = [
    {"kind": "cut_before"},
    {"kind": "cut_after"},
    {"kind": "stored_500"},
    {"kind": "status", "status": 502},
    *({"kind": "status", "status": status} for status in (500, 503, 429, 200)),
    {"kind": "key_in_use"},
    {"kind": "lock_timeout"},
]
CALLS = [("confirm", fault) for fault in FAULTS] + [("create", fault) for fault in FAULTS]
FEW = [*CALLS[:4], *CALLS[len(FAULTS) + 1 :][:2]]


def hear() -> None:
    tasks.poll_gateway_events()
    tasks.handle_gateway_events()


def settled(payment: Payment) -> Payment:
    """After the sweep, two hours later."""
    with later():
        sweep()
    payment.refresh_from_db()
    return payment


# Answers


@pytest.mark.parametrize(("call", "fault"), CALLS if "PAYMENT_FAULTS" in os.environ else FEW, ids=str)
def test_whatever_goes_wrong_charges_once(
    customer: Organization, stand_in: StandIn, call: str, fault: dict[str, Any]
) -> None:
    stand_in.fault(f"payment_intents.{call}", **fault)
    payment = paid(customer)
    assert (payment.status, payment.problem, bought(customer)) == ("pending", "unavailable", [])
    assert settled(payment).status == "succeeded"
    assert (stand_in.moved(intent=payment.intent), bought(customer)) == (2500, [25])


@pytest.mark.parametrize("call", ["payment_intents.create", "payment_intents.confirm"])
def test_an_answer_that_comes_too_late_is_no_answer(
    customer: Organization, stand_in: StandIn, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    monkeypatch.setattr(client, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(client, "READ", {"max_network_retries": 0})
    stand_in.fault(call, "late", seconds=0.5)
    payment = paid(customer)
    assert settled(payment).status == "succeeded"
    assert stand_in.moved(intent=payment.intent) == 2500


def test_a_request_does_not_wait_for_a_gateway_that_hangs(
    customer: Organization, alice: User, stand_in: StandIn, settings: Any
) -> None:
    """A call may take 20 seconds, and the request has half a second for it: the answer comes, and the sweep goes on."""
    settings.REQUEST_TIMEOUT_SECONDS = AFTERWARDS_SECONDS + 0.5
    stand_in.fault("payment_intents.create", "held", seconds=1.5)
    key = factories.key(customer, created_by=alice, permissions=["credits:write"])[1]
    began = time.monotonic()
    answer = Api(key).post("/v1/credits/purchases", {"amount": 25})
    assert (answer.status_code, answer.json()["status"]) == (201, "pending")
    assert time.monotonic() - began < 1.5
    assert settled(Payment.objects.get()).status == "succeeded"
    assert (stand_in.moved(), bought(customer)) == (2500, [25])


def test_with_the_key_forgotten_after_a_day_the_intent_is_found(customer: Organization, stand_in: StandIn) -> None:
    stand_in.fault("payment_intents.create", "cut_after")
    payment = paid(customer)
    stand_in.forget_keys()
    with later(hours=30):
        assert payments.complete(payment.pk).status == "succeeded"
    assert stand_in.moved() == 2500


@pytest.mark.parametrize("status", [401, 403])
def test_a_key_that_is_refused_charges_nobody_and_fails_nobody(
    customer: Organization, stand_in: StandIn, status: int
) -> None:
    stand_in.fault("payment_intents.create", "status", status=status)
    payment = paid(customer)
    assert (payment.status, payment.problem) == ("pending", "misconfigured")
    assert settled(payment).status == "succeeded"


DECLINES = [
    ({"code": "card_declined", "decline_code": "insufficient_funds", "advice_code": "try_again_later"}, ""),
    ({"code": "card_declined", "decline_code": "lost_card"}, "lost_card"),
    ({"code": "expired_card"}, "expired_card"),
    ({"code": "card_declined", "decline_code": "do_not_honor", "advice_code": "do_not_try_again"}, "do_not_honor"),
]


@pytest.mark.parametrize(("codes", "marked"), DECLINES)
def test_a_decline_fails_and_can_not_succeed_later(
    customer: Organization, stand_in: StandIn, codes: dict[str, str], marked: str
) -> None:
    stand_in.fault("payment_intents.confirm", "decline", codes=codes)
    payment = paid(customer)
    assert (payment.status, PaymentMethod.objects.get().declined_code) == ("failed", marked)
    assert stand_in.object(id=payment.intent)["status"] == "canceled"
    hear()
    assert bought(customer) == []


def test_money_that_comes_after_we_gave_up_is_credited(customer: Organization, stand_in: StandIn) -> None:
    stand_in.fault("payment_intents.confirm", "decline", codes={"code": "card_declined"})
    payment = paid(customer)
    stand_in.finish(intent=payment.intent, succeeded=True)
    hear()
    payment.refresh_from_db()
    assert (payment.status, bought(customer)) == ("succeeded", [25])


@pytest.mark.parametrize("succeeded", [True, False])
def test_a_bank_may_take_its_time(customer: Organization, stand_in: StandIn, succeeded: bool) -> None:
    stand_in.fault("payment_intents.confirm", "processing")
    payment = paid(customer)
    assert (payment.status, payment.problem) == ("pending", "")
    stand_in.finish(intent=payment.intent, succeeded=succeeded)
    hear()
    payment.refresh_from_db()
    assert (payment.status, bought(customer)) == (("succeeded", [25]) if succeeded else ("failed", []))


def test_what_can_not_be_charged_fails_with_stripes_code(customer: Organization, stand_in: StandIn) -> None:
    """The stand-in wants more than our table does, as Stripe might one day."""
    Payment.objects.create(
        organization=customer, amount=Decimal("0.10"), currency="USD", method=card(customer), gateway="stripe"
    )
    payment = payments.complete(Payment.objects.get().pk)
    assert (payment.status, payment.failure_code) == ("failed", "amount_too_small")


def card(organization: Organization) -> PaymentMethod:
    return PaymentMethod.objects.of(organization).latest("created_at")


# Authentication


@pytest.mark.parametrize("ends", ["completes", "fails", "abandons"])
def test_its_owner_authenticates_at_the_bank(customer: Organization, stand_in: StandIn, ends: str) -> None:
    named = saved(customer, stand_in, "pm_card_authenticationRequired")
    payment = paid(customer, method=named.public_id)
    assert payment.status == "action_required"
    url = payments.authenticate(payment, "https://app.example/back")
    if ends != "abandons":
        page = {"succeeded": "true" if ends == "completes" else "false"}
        answer = requests.post(url, page, allow_redirects=False, timeout=10)
        assert answer.headers["Location"].startswith("https://app.example/back")
    with later(hours=24):
        sweep()
    payment.refresh_from_db()
    assert payment.status == ("succeeded" if ends == "completes" else "failed")
    assert stand_in.object(id=payment.intent)["status"] == ("succeeded" if ends == "completes" else "canceled")


def test_a_bank_may_decline_after_the_authentication(customer: Organization, stand_in: StandIn) -> None:
    named = saved(customer, stand_in, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    payment = paid(customer, method=named.public_id)
    payments.authenticate(payment, "https://app.example/back")
    stand_in.authenticate(id=payment.intent, succeeded=True)
    hear()
    payment.refresh_from_db()
    assert (payment.status, payment.failure_code) == ("failed", "insufficient_funds")


def saved(organization: Organization, stand_in: StandIn, name: str) -> PaymentMethod:
    """A card that its owner saved on Stripe's page, and told us by an event only."""
    page = saving_cards.begin_setup(organization, return_url="https://app.example/")
    stand_in.complete(session=page.id, card=name)
    hear()
    return card(organization)


# Checkout


@pytest.mark.parametrize("returns", ["never", "twice"])
def test_a_first_purchase_on_stripes_page(customer: Organization, stand_in: StandIn, returns: str) -> None:
    payment = payments.complete(begin(customer, checkout=True).pk)
    stand_in.complete(session=payment.session, card="pm_card_chargeDeclined")
    hear()  # a decline on the page is no end
    stand_in.complete(session=payment.session, card="pm_card_mastercard")
    for _ in range({"never": 0, "twice": 2}[returns]):
        payments.complete(payment.pk)
    hear()
    payment.refresh_from_db()
    assert (payment.status, bought(customer)) == ("succeeded", [25])
    assert payment.method
    assert payment.method.brand == "mastercard"


def test_a_page_that_nobody_uses_expires(customer: Organization, stand_in: StandIn) -> None:
    payment = payments.complete(begin(customer, checkout=True).pk)
    stand_in.expire_session(session=payment.session)
    hear()
    payment.refresh_from_db()
    assert (payment.status, payment.failure_code) == ("failed", "abandoned")


@pytest.mark.parametrize(
    ("country", "amount", "minor"), [("JP", "500", 500), ("KW", "1.25", 1250), ("IS", "200", 20000)]
)
def test_amounts_are_sent_in_the_currencys_minor_unit(
    organization: Organization, stand_in: StandIn, country: str, amount: str, minor: int
) -> None:
    factories.billing_account(organization, country=country)
    factories.card(organization)
    payment = paid(organization, amount)
    assert (payment.status, stand_in.moved(intent=payment.intent)) == ("succeeded", minor)


# Auto-recharge


@pytest.mark.parametrize("fault", FAULTS[:2], ids=str)
def test_a_recharge_whose_answer_is_lost_charges_once(
    customer: Organization, stand_in: StandIn, fault: dict[str, Any]
) -> None:
    switch_on(customer)
    stand_in.fault("payment_intents.confirm", **fault)
    for _ in range(2):
        tasks.recharge_accounts()
    assert recharge.assess(customer, Payment.objects.get().created_at).code == "confirming"
    with later():
        tasks.recharge_accounts()
        sweep()
    assert (stand_in.moved(), bought(customer)) == (5000, [50])


def test_every_step_is_an_event_of_the_organization(customer: Organization, stand_in: StandIn) -> None:
    payment = paid(customer)
    stand_in.refund(intent=payment.intent, amount=500)
    hear()
    row = stand_in.dispute(intent=payment.intent, amount=1000)
    hear()
    stand_in.close_dispute(dispute=row["id"], status="won")
    hear()
    steps = Event.objects.of(customer).filter(type__regex="^(payment|refund|dispute)")
    types = steps.order_by("pk").values_list("type", flat=True)
    assert list(types) == [
        *("payment_method.added", "payment.created", "payment.succeeded", "refund.created", "refund.succeeded"),
        *("dispute.created", "dispute.funds_withdrawn", "dispute.funds_reinstated", "dispute.closed"),
    ]
    assert LedgerEntry.objects.of(customer).latest("seq").balance_after == 20
