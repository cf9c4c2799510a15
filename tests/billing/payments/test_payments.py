"""Create, remember, confirm: the table of states in `docs/payments.md`, a test for each row."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.core import mail
from django.utils import timezone

from accounts import emails
from accounts.models import Event, Organization
from billing import tasks
from billing.models import LedgerEntry, Payment, PaymentMethod, SandboxObject
from billing.payments import gateways, payments, purchases, settling
from billing.payments.gateways import GatewayMisconfigured, GatewayRefused, IntentState
from billing.payments.gateways.sandbox import CARDS, visits
from tests import factories
from tests.billing.payments.buying import begin, bought, charged_with, later, paid, state_of, sweep
from tests.billing.payments.gateway import FaultySandbox, unavailable

DECLINED = [name for name, card in CARDS.items() if card.decline and card.authentication.value == "never"]


# Succeeded


def test_a_purchase_charges_once_and_raises_the_balance(buyer: Organization, bank: FaultySandbox) -> None:
    payment = payments.complete(begin(buyer).pk)
    assert payment.status == "succeeded"
    assert bank.calls == ["create", "confirm"]
    assert bank.charged == [2500]
    assert bought(buyer) == [25]
    assert LedgerEntry.objects.of(buyer).get().reference == payment.public_id
    assert [event.type for event in Event.objects.of(buyer).order_by("pk")] == [
        "billing_account.created",
        "payment_method.added",
        "billing_account.changed",
        "payment.created",
        "payment.succeeded",
        "invoice.issued",
    ]


def test_a_payment_that_is_begun_moves_nothing_yet(buyer: Organization, bank: FaultySandbox) -> None:
    assert begin(buyer).status == "pending"
    assert bank.calls == bought(buyer) == []


def test_a_settled_payment_is_not_charged_again(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    assert payments.complete(payment.pk) == payments.complete(payment.pk)
    assert bank.calls == ["create", "confirm"]


def test_another_sum_than_was_asked_for_is_an_alarm_and_no_entry(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)

    def pay_less() -> None:
        row = SandboxObject.objects.get(kind="intent")
        row.body["request"]["minor"] = 100
        row.save()

    bank.before["confirm"] = pay_less
    payment = payments.complete(payment.pk)
    assert (payment.status, payment.problem, bought(buyer)) == ("pending", "mismatch", [])
    bank.calls.clear()
    with later():
        assert (sweep(), bank.calls) == (0, [])  # An operator has to decide: it isn't asked for again each minute.


# Answers that are lost, at every step


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", ["create", "confirm"])
def test_a_lost_answer_charges_once_and_credits_once(
    buyer: Organization, bank: FaultySandbox, step: str, when: str
) -> None:
    payment = begin(buyer)
    faults: dict[str, Callable[[], Any]] = getattr(bank, when)
    faults[step] = unavailable
    payment = payments.complete(payment.pk)
    assert (payment.status, payment.problem, bought(buyer)) == ("pending", "unavailable", [])
    faults.clear()
    with later():
        assert sweep() == 1
    assert bank.charged == [2500]
    assert bought(buyer) == [25]


def test_a_lost_confirmation_is_looked_up_and_not_repeated(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    bank.after["confirm"] = unavailable
    payments.complete(payment.pk)
    bank.after.clear()
    bank.calls.clear()
    assert payments.complete(payment.pk).status == "succeeded"
    assert bank.calls == ["retrieve", "retrieve"]


def test_an_intent_that_was_never_confirmed_is_confirmed(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    bank.before["confirm"] = unavailable
    payments.complete(payment.pk)
    bank.before.clear()
    bank.calls.clear()
    assert payments.complete(payment.pk).status == "succeeded"
    assert bank.calls == ["retrieve", "confirm"]


def test_when_the_gateways_key_is_forgotten_the_intent_is_found(buyer: Organization, bank: FaultySandbox) -> None:
    """A day later the key of `create` may stand for nothing: only its metadata says that the intent was made."""
    payment = begin(buyer)
    bank.after["create"] = unavailable
    payments.complete(payment.pk)
    bank.after.clear()
    SandboxObject.objects.update(idempotency_key=None)
    with later(hours=30):
        assert payments.complete(payment.pk).status == "succeeded"
    assert "find" in bank.calls
    assert SandboxObject.objects.filter(kind="intent").count() == 1
    assert bank.charged == [2500]


def test_with_no_intent_to_find_one_is_made(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    with later(hours=30):
        assert payments.complete(payment.pk).status == "succeeded"
    assert bank.calls == ["find", "create", "confirm"]


def used_otherwise() -> None:
    raise gateways.UnexpectedState("The key was used with other parameters.")


def test_when_the_key_was_used_otherwise_the_intent_is_found(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    bank.after["create"] = unavailable
    payments.complete(payment.pk)
    bank.after.clear()
    bank.before["create"] = used_otherwise
    assert payments.complete(payment.pk).status == "succeeded"
    assert bank.charged == [2500]


def test_when_the_key_was_used_otherwise_and_nothing_is_found_it_waits(
    buyer: Organization, bank: FaultySandbox
) -> None:
    bank.before["create"] = used_otherwise
    payment = payments.complete(begin(buyer).pk)
    assert (payment.status, payment.attempts, payment.problem) == ("pending", 1, "unavailable")


def test_the_waits_grow_to_an_hour(buyer: Organization, bank: FaultySandbox) -> None:
    payment, waits = begin(buyer), []
    bank.before["create"] = unavailable
    for _ in range(8):
        now = timezone.now()
        at = payments.complete(payment.pk).next_attempt_at
        assert at
        waits.append(round((at - now).total_seconds() / 60))
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_after_any_number_of_tries_the_wait_is_an_hour(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    Payment.objects.filter(pk=payment.pk).update(attempts=500)
    bank.before["create"] = unavailable
    at = payments.complete(payment.pk).next_attempt_at
    assert at
    assert timedelta(minutes=59) < at - timezone.now() <= timedelta(hours=1)


def test_wrong_credentials_fail_no_payment(buyer: Organization, bank: FaultySandbox) -> None:
    def refuse() -> None:
        raise GatewayMisconfigured("no such key")

    payment, bank.before["create"] = begin(buyer), refuse
    payment = payments.complete(payment.pk)
    assert (payment.status, payment.problem) == ("pending", "misconfigured")
    bank.before.clear()
    with later():
        assert sweep() == 1
    assert bought(buyer) == [25]


@pytest.mark.parametrize("step", ["create", "confirm"])
def test_what_the_gateway_refuses_for_good_fails_with_its_code(
    buyer: Organization, bank: FaultySandbox, step: str
) -> None:
    def refuse() -> None:
        raise GatewayRefused("amount_too_small")

    payment, bank.before[step] = begin(buyer), refuse
    payment = payments.complete(payment.pk)
    assert (payment.status, payment.failure_code) == ("failed", "amount_too_small")
    bank.before.clear()
    assert payments.complete(payment.pk).status == "failed"
    assert bank.charged == bought(buyer) == []
    if step == "confirm":
        assert state_of(payment) == IntentState.CANCELED


# Declines


@pytest.mark.parametrize("name", DECLINED)
def test_a_decline_fails_and_cancels_the_intent(organization: Organization, name: str) -> None:
    decline = CARDS[name].decline
    assert decline
    payment = charged_with(name, organization)
    assert (payment.status, payment.failure_code) == ("failed", decline.reason)
    assert payment.decline_code == decline.decline_code
    assert state_of(payment) == IntentState.CANCELED
    assert bought(organization) == []
    assert PaymentMethod.objects.get().declined_code == (decline.reason if decline.is_hard else "")


def test_a_decline_whose_cancellation_is_lost_stays_open_until_it_is_known(
    organization: Organization, bank: FaultySandbox
) -> None:
    card = factories.card(organization, "pm_card_chargeDeclined")
    payment = begin(organization, method=card.public_id)
    bank.before["cancel"] = unavailable
    assert payments.complete(payment.pk).status == "pending"
    bank.before.clear()
    assert payments.complete(payment.pk).status == "failed"


def test_an_intent_that_a_new_key_does_not_know_is_given_up_after_three_days(
    buyer: Organization, bank: FaultySandbox, settings: Any
) -> None:
    """The key of another account was set. Each time, one email names the payment."""
    settings.OPERATOR_EMAIL = "operators@example.com"
    bank.after["confirm"] = unavailable
    payment = paid(buyer)
    bank.after.clear()
    SandboxObject.objects.filter(kind="intent").delete()
    for hours in (2, 26):
        with later(hours):
            sweep()
    payment.refresh_from_db()
    assert (payment.status, payment.problem) == ("pending", "unknown")
    with later(80):
        assert (sweep(), sweep()) == (1, 0)
    payment.refresh_from_db()
    assert (payment.status, payment.failure_code) == ("failed", "intent_unknown")
    with later(100):
        emails.send_due({})
    assert [payment.public_id in letter.body and payment.intent in letter.body for letter in mail.outbox] == [True] * 2


def test_money_that_came_after_we_gave_up_is_credited_all_the_same(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    bank.after["confirm"] = unavailable
    payments.complete(payment.pk)
    settling.fail(payment.pk, "canceled")
    payment.refresh_from_db()
    intent = gateways.named("faulty").retrieve(payment.intent)
    assert settling.settle(payment.pk, intent).status == "succeeded"
    assert settling.settle(payment.pk, intent).status == "succeeded"
    assert bought(buyer) == [25]


# Authentication


def test_an_authentication_is_asked_for_and_the_same_intent_succeeds(organization: Organization) -> None:
    payment = charged_with("pm_card_authenticationRequired", organization)
    page = f"/o/{organization.public_id}/payments/{payment.public_id}/"
    assert (payment.status, payment.next_action_url.endswith(page)) == ("action_required", True)
    url = payments.authenticate(payment, "https://app.example/back")
    back = visits.authenticate(url.rstrip("/").rpartition("/")[2], succeeded=True)
    assert back == "https://app.example/back"
    assert payments.complete(payment.pk).status == "succeeded"
    assert bought(organization) == [25]
    assert SandboxObject.objects.filter(kind="intent").count() == 1


def test_a_payment_that_ended_meanwhile_is_not_confirmed_again(organization: Organization, bank: FaultySandbox) -> None:
    stale = charged_with("pm_card_authenticationRequired", organization)
    settling.fail(stale.pk, "canceled")
    bank.calls.clear()
    assert payments.authenticate(stale, "https://app.example/back") == ""
    assert "confirm" not in bank.calls


def test_settling_leaves_what_others_wrote_meanwhile(buyer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """An intent's id is remembered without the payer's lock."""
    payment, lock = begin(buyer), settling.lock

    def remember_after(payment_id: UUID) -> Payment:
        locked = lock(payment_id)
        Payment.objects.filter(pk=payment_id).update(intent="pi_1", confirmations=1)
        return locked

    monkeypatch.setattr(settling, "lock", remember_after)
    settling.fail(payment.pk, "canceled")
    payment.refresh_from_db()
    assert (payment.status, payment.intent, payment.confirmations) == ("failed", "pi_1", 1)


def test_a_failed_authentication_is_a_decline(organization: Organization) -> None:
    payment = charged_with("pm_card_authenticationRequired", organization)
    url = payments.authenticate(payment, "https://app.example/back")
    visits.authenticate(url.rstrip("/").rpartition("/")[2], succeeded=False)
    payment = payments.complete(payment.pk)
    assert (payment.status, payment.failure_code) == ("failed", "payment_intent_authentication_failure")
    assert state_of(payment) == IntentState.CANCELED
    assert bought(organization) == []


def test_an_authentication_that_never_comes_lapses_after_23_hours(organization: Organization) -> None:
    payment = charged_with("pm_card_authenticationRequired", organization)
    with later(hours=22.9):
        assert sweep() == 0
    with later(hours=23.1):
        assert sweep() == 1
    payment.refresh_from_db()
    assert (payment.status, state_of(payment)) == ("failed", IntentState.CANCELED)


# Canceling


@pytest.mark.parametrize("name", ["pm_card_visa", "pm_card_authenticationRequired"])
def test_an_open_payment_is_canceled(organization: Organization, bank: FaultySandbox, name: str) -> None:
    card = factories.card_on_page(organization, name)
    payment = begin(organization, method=card.public_id)
    bank.before["confirm"] = unavailable if name == "pm_card_visa" else lambda: None
    payment = payments.cancel(payments.complete(payment.pk))
    assert payment.status == "failed"
    assert state_of(payment) == IntentState.CANCELED
    bank.before.clear()
    with later():
        assert sweep() == 0
    assert bank.charged == bought(organization) == []


def test_canceling_what_was_paid_meanwhile_credits_it(buyer: Organization, bank: FaultySandbox) -> None:
    payment = begin(buyer)
    bank.after["confirm"] = unavailable
    assert payments.cancel(payments.complete(payment.pk)).status == "succeeded"
    assert bought(buyer) == [25]


def test_canceling_goes_by_the_row_as_it_is_now(buyer: Organization, bank: FaultySandbox) -> None:
    """The request read the payment before another one charged it."""
    stale = begin(buyer)
    bank.after["confirm"] = unavailable
    payments.complete(stale.pk)
    assert (stale.intent, payments.cancel(stale).status) == ("", "succeeded")
    assert bought(buyer) == [25]
    with pytest.raises(payments.NotCancelable):
        payments.cancel(stale)


def test_a_payment_that_is_canceled_before_the_gateway_knows_it_is_never_charged(
    buyer: Organization, bank: FaultySandbox
) -> None:
    payment = begin(buyer)
    bank.after["create"] = lambda: payments.cancel(payment)
    assert payments.complete(payment.pk).status == "failed"
    assert "confirm" not in bank.calls
    assert bank.charged == bought(buyer) == []


def test_a_settled_payment_can_not_be_canceled(buyer: Organization) -> None:
    with pytest.raises(payments.NotCancelable):
        payments.cancel(payments.complete(begin(buyer).pk))
    assert bought(buyer) == [25]


# The sweep


def test_the_sweep_runs_every_minute(buyer: Organization, settings: Any) -> None:
    scheduled = {entry["task"]: entry["schedule"] for entry in settings.CELERY_BEAT_SCHEDULE.values()}
    assert scheduled[tasks.settle_pending_payments.name] == 60
    begin(buyer)
    with later():
        assert tasks.settle_pending_payments() == 1


def test_the_sweep_leaves_alone_what_is_still_at_work(buyer: Organization, bank: FaultySandbox) -> None:
    begin(buyer)
    with time_machine.travel(timezone.now() + purchases.GRACE - timedelta(seconds=5)):
        assert sweep() == 0
    assert bank.calls == []


def test_a_payment_that_breaks_does_not_keep_the_sweep_from_the_others(buyer: Organization) -> None:
    broken, _ = begin(buyer, 10), begin(buyer, 20)
    Payment.objects.filter(pk=broken.pk).update(gateway="closed-down")
    with later():
        assert sweep() == 1
    assert bought(buyer) == [20]


def test_one_that_never_ends_does_not_keep_the_others_waiting(
    buyer: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep has room for one here; by chance alone, fifty of them would miss the other once in 2⁵⁰."""
    monkeypatch.setattr(payments, "SWEEP_SIZE", 1)
    stuck, other = begin(buyer), begin(buyer)
    Payment.objects.filter(pk=stuck.pk).update(gateway="closed-down")
    with later():
        for _ in range(50):
            sweep()
    assert Payment.objects.get(pk=other.pk).status == "succeeded"
    assert Payment.objects.get(pk=stuck.pk).status == "pending"


def test_a_payment_that_is_pending_once_more_is_not_purchased_once_more(
    buyer: Organization, bank: FaultySandbox
) -> None:
    """As after a restore: the gateway and the ledger know the payment's id."""
    payment = payments.complete(begin(buyer).pk)
    Payment.objects.filter(pk=payment.pk).update(status="pending", intent="", confirmations=0)
    assert payments.complete(payment.pk).status == "succeeded"
    assert bank.charged == [2500]
    assert bought(buyer) == [25]
