"""Rounds of auto-recharge: declines, the backup card, pauses and what lifts them; and a gateway without an answer."""

from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.utils import timezone

from accounts.models import Email, Event, Organization
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.payments import payments, purchases, recharge
from billing.payments.gateways import GatewayMisconfigured, GatewayRefused
from billing.payments.gateways.sandbox import visits
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, unavailable
from tests.billing.payments.recharging import DECLINED, bought, pause, spend, state, sweep, switch_on

PATH = "/v1/credits/auto-recharge"
LOST = "pm_card_chargeDeclinedLostCard"
AUTHENTICATED = "pm_card_authenticationRequired"


# Declines, and what lifts them


def test_after_declines_it_waits_and_after_three_rounds_it_is_paused(organization: Organization) -> None:
    factories.card(organization, DECLINED)
    switch_on(organization)
    assert (sweep(), state(organization)) == (1, "declined")
    assert (sweep(minutes=59), sweep(minutes=61)) == (0, 1)
    assert (sweep(hours=6.9), sweep(hours=7.1)) == (0, 1)
    assert (state(organization), sweep(days=20)) == ("paused", 0)
    assert AutoRecharge.objects.get().enabled
    paused = Event.objects.of(organization).filter(type="auto_recharge.paused")
    assert [event.data for event in paused] == [{"reason": "declined"}]


def test_the_backup_card_is_charged_in_the_same_round(organization: Organization) -> None:
    declined = factories.card(organization, DECLINED)
    backup = factories.card(organization, "pm_card_mastercard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    switch_on(organization)
    sweep()
    assert payments.sweep(timezone.now()) == 1
    first, second = Payment.objects.of(organization).order_by("created_at")
    assert (first.method, first.status, second.method, second.status) == (declined, "failed", backup, "succeeded")
    assert second.replaces == first
    assert AutoRecharge.objects.get().failed_rounds == 0


def suspend(organization: Organization) -> None:
    Organization.objects.filter(pk=organization.pk).update(status="suspended")


def test_a_backup_card_is_not_charged_for_who_was_suspended_meanwhile(
    organization: Organization, bank: FaultySandbox
) -> None:
    factories.card(organization, DECLINED)
    backup = factories.card(organization, "pm_card_mastercard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    switch_on(organization)
    bank.after["confirm"] = lambda: suspend(organization)
    sweep()
    assert payments.sweep(timezone.now()) == 0
    assert [payment.status for payment in Payment.objects.of(organization)] == ["failed"]
    assert bank.charged == []


@pytest.mark.parametrize("card", ["pm_card_visa", DECLINED])
def test_a_recharge_that_was_begun_is_not_charged_for_who_was_suspended_meanwhile(
    organization: Organization, bank: FaultySandbox, card: str
) -> None:
    """The backup's too, which waits for the sweep."""
    factories.card(organization, card)
    backup = factories.card(organization, "pm_card_mastercard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    switch_on(organization)
    if card == DECLINED:
        sweep()
        suspend(organization)
    else:
        bank.after["create"] = lambda: suspend(organization)
        sweep()
    payments.sweep(timezone.now())
    last = Payment.objects.of(organization).latest("created_at")
    assert (last.status, last.failure_code, bank.charged) == ("failed", "suspended", [])
    assert state(organization) == "suspended"


@pytest.mark.parametrize("how", ["canceled", "refused"])
def test_a_recharge_that_no_bank_declined_charges_no_backup_and_is_no_failed_round(
    payer: Organization, bank: FaultySandbox, how: str
) -> None:
    def refuse() -> None:
        raise GatewayRefused("amount_too_small")

    backup = factories.card(payer, "pm_card_mastercard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    spend(payer, 90)
    bank.before["confirm"] = unavailable if how == "canceled" else refuse
    sweep()
    if how == "canceled":
        payments.cancel(Payment.objects.get(purpose="recharge"))
    bank.before.clear()
    assert Payment.objects.get(purpose="recharge").status == "failed"
    settings = AutoRecharge.objects.get()
    assert (settings.failed_rounds, settings.paused) == (0, "")
    assert (sweep(minutes=59), sweep(minutes=61)) == (0, 1)
    assert bought(payer) == [50]


def test_the_same_card_under_another_token_is_no_backup(organization: Organization) -> None:
    factories.card(organization, DECLINED)
    backup = factories.card(organization, DECLINED)
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    switch_on(organization)
    sweep()
    assert Payment.objects.of(organization).count() == 1


def test_a_card_that_was_declined_for_good_is_not_tried_again(organization: Organization) -> None:
    factories.card(organization, LOST)
    switch_on(organization)
    sweep()
    assert state(organization) == "no_payment_method"
    assert sweep(days=5) == 0
    assert Payment.objects.of(organization).count() == 1


@pytest.mark.parametrize(("first", "paused"), [(DECLINED, ""), (LOST, "declined")])
def test_a_backup_that_is_lost_pauses_it_only_if_no_other_card_can_be_charged(
    organization: Organization, first: str, paused: str
) -> None:
    factories.card(organization, first)
    backup = factories.card(organization, "pm_card_chargeDeclinedStolenCard")
    PaymentMethod.objects.filter(pk=backup.pk).update(is_backup=True)
    switch_on(organization)
    sweep()
    payments.sweep(timezone.now())
    settings = AutoRecharge.objects.get()
    assert (settings.paused, settings.failed_rounds, bool(settings.next_attempt_at)) == (paused, 1, not paused)


def test_its_owner_is_written_to_at_the_first_decline_and_at_the_pause(organization: Organization) -> None:
    factories.card(organization, DECLINED)
    switch_on(organization)
    sent = [Email.objects.count()]
    for hours in (0, 1.1, 7.2):
        sweep(hours=hours)
        sent.append(Email.objects.count())
    assert sent == [0, 1, 1, 2]


def test_what_ends_a_pause_is_told(organization: Organization) -> None:
    pause(organization)
    recharge.retry(organization, timezone.now())
    resumed = Event.objects.of(organization).filter(type="auto_recharge.resumed")
    assert [event.data for event in resumed] == [{"reason": "declined"}]


def test_another_card_lifts_a_pause_and_the_same_one_does_not(organization: Organization) -> None:
    pause(organization)
    factories.card(organization, DECLINED)
    assert state(organization) == "paused"
    factories.card(organization, "pm_card_amex")
    assert state(organization) == "charging"


def test_a_paid_purchase_lifts_a_pause_and_a_gift_does_not(organization: Organization) -> None:
    pause(organization)
    good = factories.card(organization, "pm_card_visa")
    AutoRecharge.objects.update(paused="declined")
    factories.credit(organization, 1)
    assert state(organization) == "paused"
    payments.complete(purchases.begin(organization, amount=Decimal(1), method=good.public_id, by="test").pk)
    assert state(organization) == "charging"


def test_its_owner_may_try_again(organization: Organization) -> None:
    pause(organization)
    recharge.retry(organization, timezone.now())
    assert (state(organization), AutoRecharge.objects.get().failed_rounds) == ("declined", 1)


def test_an_authentication_is_asked_for_once_and_nothing_else_is_charged(organization: Organization) -> None:
    factories.card_on_page(organization, AUTHENTICATED)
    switch_on(organization)
    assert (sweep(), state(organization)) == (1, "action_required")
    assert Email.objects.count() == 1  # Nobody sees the bank's page by themselves.
    assert sweep(hours=1) == 0
    payment = Payment.objects.of(organization).get()
    url = payments.authenticate(payment, "https://app.example/")
    visits.authenticate(url.rstrip("/").rpartition("/")[2], succeeded=True)
    payments.complete(payment.pk)
    assert (bought(organization), state(organization)) == ([50], "armed")


def test_an_authentication_that_lapses_pauses_it(organization: Organization) -> None:
    factories.card_on_page(organization, AUTHENTICATED)
    switch_on(organization)
    sweep()
    later = timezone.now() + timedelta(hours=23.1)
    with time_machine.travel(later):
        payments.sweep(timezone.now())
    assert state(organization) == "paused"
    assert sweep(days=3) == 0


# A gateway that does not answer


def test_a_lost_answer_is_confirmed_and_never_a_second_charge(payer: Organization, bank: FaultySandbox) -> None:
    spend(payer, 90)
    bank.after["confirm"] = unavailable
    assert (sweep(), state(payer)) == (1, "confirming")
    bank.after.clear()
    assert sweep(hours=1) == 0
    with time_machine.travel(timezone.now() + timedelta(hours=1)):
        payments.sweep(timezone.now())
    assert bank.charged == [5000]
    assert bought(payer) == [50]
    assert AutoRecharge.objects.get().failed_rounds == 0


def test_wrong_credentials_are_no_decline(payer: Organization, bank: FaultySandbox) -> None:
    def refuse() -> None:
        raise GatewayMisconfigured

    spend(payer, 90)
    bank.before["create"] = refuse
    assert (sweep(), state(payer), sweep(hours=1)) == (1, "gateway_misconfigured", 0)


def test_a_charge_under_way_ends_though_it_is_switched_off(payer: Organization, bank: FaultySandbox) -> None:
    spend(payer, 90)
    bank.after["confirm"] = unavailable
    sweep()
    switch_on(payer, enabled=False)
    bank.after.clear()
    payments.complete(Payment.objects.of(payer).get().pk)
    assert bought(payer) == [50]
