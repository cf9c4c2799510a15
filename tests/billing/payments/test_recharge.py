"""Auto-recharge: its states, each entered and left; one charge, whoever asks and however often."""

from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import events
from accounts.models import Event, Organization, User
from billing import tasks
from billing.ledger import holds, posting
from billing.models import AutoRecharge, LedgerAccount, LedgerEntry, Payment, PaymentMethod
from billing.payments import payments, recharge
from billing.payments.gateways import GatewayMisconfigured, GatewayRefused
from billing.payments.gateways.sandbox import visits
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, unavailable
from tests.concurrency import race

PATH = "/v1/credits/auto-recharge"
DECLINED = "pm_card_chargeDeclinedInsufficientFunds"
LOST = "pm_card_chargeDeclinedLostCard"
AUTHENTICATED = "pm_card_authenticationRequired"


@pytest.fixture
def payer(organization: Organization, bank: FaultySandbox) -> Organization:
    """Has a card and 100 credits, and buys 50 when less than 20 are left."""
    factories.card(organization)
    factories.credit(organization, 100)
    switch_on(organization)
    return organization


def switch_on(organization: Organization, **params: Any) -> None:
    given = {"enabled": True, "threshold": Decimal(20), **({} if "target" in params else {"amount": Decimal(50)})}
    recharge.change(organization, {**given, **params}, by=events.Actor("person", "user:0"), now=timezone.now())


def spend(organization: Organization, amount: int | str) -> None:
    posting.debit(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(amount))


def sweep(**after: float) -> int:
    with time_machine.travel(timezone.now() + timedelta(**after)):
        return tasks.recharge_accounts()


def state(organization: Organization, **after: float) -> str:
    return recharge.assess(organization, timezone.now() + timedelta(**after)).code


def bought(organization: Organization) -> list[Any]:
    recharges = Payment.objects.of(organization).filter(purpose="recharge", status="succeeded")
    return list(recharges.order_by("created_at").values_list("amount", flat=True))


# When, and how much


def test_it_charges_below_the_threshold_and_not_at_it(payer: Organization, bank: FaultySandbox) -> None:
    spend(payer, 80)
    assert (sweep(), state(payer)) == (0, "armed")
    spend(payer, "0.000000001")
    assert sweep() == 1
    assert bought(payer) == [50]
    assert posting.available(payer.pk) == Decimal("69.999999999")
    assert bank.charged == [5000]


def test_holds_lower_it_too(payer: Organization) -> None:
    holds.place(payer, amount=Decimal(81), ttl=timedelta(minutes=5))
    assert sweep() == 1


def test_a_credit_limit_does_not_count(payer: Organization) -> None:
    LedgerAccount.objects.filter(pk=payer.pk).update(credit_limit=Decimal(1000))
    spend(payer, 90)
    assert sweep() == 1


@pytest.mark.parametrize(
    ("params", "spent", "charge"),
    [
        ({"amount": Decimal(50)}, 90, 50),
        ({"amount": Decimal(5)}, 95, 15),  # one charge ends at the threshold, not several
        ({"amount": Decimal(5)}, 150, 70),
        ({"target": Decimal(60)}, 90, 50),
        ({"target": Decimal(60)}, "90.005", Decimal("50.01")),  # rounded up to the cent
    ],
)
def test_one_charge_ends_at_or_above_the_threshold(
    payer: Organization, params: dict[str, Decimal], spent: int | str, charge: Any
) -> None:
    switch_on(payer, **params)
    posting.post(payer.pk, kind=LedgerEntry.Kind.USAGE, amount=-Decimal(spent))
    sweep()
    assert bought(payer) == [charge]


def test_it_is_off_until_it_is_switched_on(payer: Organization) -> None:
    switch_on(payer, enabled=False)
    spend(payer, 90)
    assert (sweep(), state(payer)) == (0, "disabled")


# Bounds


def test_after_a_success_it_rests(payer: Organization) -> None:
    spend(payer, 90)
    sweep()
    spend(payer, 60)
    assert (sweep(), state(payer)) == (0, "cooldown")
    assert (sweep(minutes=9.9), sweep(minutes=10.1)) == (0, 1)


def test_what_would_pass_the_monthly_limit_is_not_charged_in_part_either(payer: Organization) -> None:
    switch_on(payer, monthly_limit=Decimal(99))
    spend(payer, 90)
    sweep()
    spend(payer, 60)
    assert (sweep(hours=1), state(payer, hours=1)) == (0, "monthly_limit")
    assert bought(payer) == [50]
    assert sweep(days=40) == 1


def test_the_number_a_month_is_bounded(payer: Organization) -> None:
    switch_on(payer, monthly_count=1)
    spend(payer, 90)
    sweep()
    spend(payer, 60)
    assert (sweep(hours=1), state(payer, hours=1)) == (0, "monthly_count")


def test_manual_purchases_do_not_count(payer: Organization) -> None:
    switch_on(payer, monthly_limit=Decimal(60))
    payments.complete(payments.begin(payer, amount=Decimal(55), method=None, by="test").pk)
    spend(payer, 150)
    assert sweep() == 1


def test_three_in_an_hour_advise_a_larger_amount(payer: Organization, settings: Any) -> None:
    settings.RECHARGE_COOLDOWN_SECONDS = 0
    spend(payer, 90)
    for _ in range(3):
        sweep()
        spend(payer, 50)
    assert Event.objects.of(payer).filter(type="auto_recharge.frequent").count() == 1


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


def paused(organization: Organization) -> None:
    factories.card(organization, DECLINED)
    switch_on(organization)
    AutoRecharge.objects.update(paused="declined", failed_rounds=3)
    assert state(organization) == "paused"


def test_another_card_lifts_a_pause_and_the_same_one_does_not(organization: Organization) -> None:
    paused(organization)
    factories.card(organization, DECLINED)
    assert state(organization) == "paused"
    factories.card(organization, "pm_card_amex")
    assert state(organization) == "charging"


def test_a_paid_purchase_lifts_a_pause_and_a_gift_does_not(organization: Organization) -> None:
    paused(organization)
    good = factories.card(organization, "pm_card_visa")
    AutoRecharge.objects.update(paused="declined")
    factories.credit(organization, 1)
    assert state(organization) == "paused"
    payments.complete(payments.begin(organization, amount=Decimal(1), method=good.public_id, by="test").pk)
    assert state(organization) == "charging"


def test_its_owner_may_try_again(organization: Organization) -> None:
    paused(organization)
    recharge.retry(organization, timezone.now())
    assert (state(organization), AutoRecharge.objects.get().failed_rounds) == ("declined", 1)


def test_an_authentication_is_asked_for_once_and_nothing_else_is_charged(organization: Organization) -> None:
    factories.card_on_page(organization, AUTHENTICATED)
    switch_on(organization)
    assert (sweep(), state(organization)) == (1, "action_required")
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


# Settings


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"amount": 50}, "/threshold"),
        ({"threshold": -1, "amount": 50}, "/threshold"),
        ({"threshold": 20}, "/amount"),
        ({"threshold": 20, "amount": 50, "target": 90}, "/amount"),
        ({"threshold": 20, "amount": "0.49"}, "/amount"),
        ({"threshold": 20, "target": "20.49"}, "/target"),
        ({"threshold": 20, "amount": 50, "monthly_limit": "49.99"}, "/monthly_limit"),
        ({"threshold": 20, "target": 80, "monthly_limit": "59.99"}, "/monthly_limit"),
        ({"threshold": 20, "amount": 50, "monthly_count": 0}, "/monthly_count"),
        ({"threshold": 20, "amount": 50, "payment_method": "pm_x"}, "/payment_method"),
        ({"threshold": "", "amount": 50}, "/threshold"),
        ({"threshold": 20, "amount": 50, "currency": "EUR"}, "/currency"),
        ({"threshold": 20, "amount": 50, "treshold": 1}, "/treshold"),
    ],
)
def test_what_could_never_work_is_not_saved(
    api: Any, alice: User, organization: Organization, body: dict[str, Any], pointer: str
) -> None:
    factories.card(organization)
    answer = api(alice).put(PATH, {"enabled": True, **body})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)
    assert not AutoRecharge.objects.filter(enabled=True).exists()


def test_switching_it_on_below_the_threshold_charges_at_once(api: Any, alice: User, organization: Organization) -> None:
    card = factories.card(organization)
    answer = api(alice).put(PATH, {"enabled": True, "threshold": 20, "target": 60, "monthly_limit": 500})
    assert answer.status_code == 200
    assert answer.json() == {
        "enabled": True,
        "threshold": 20,
        "amount": None,
        "target": 60,
        "payment_method": None,
        "monthly_limit": 500,
        "monthly_count": None,
        "state": "armed",
        "sentence": "When less than 20 credits are left, credits are bought.",
        "next_attempt_at": None,
        "spent_this_month": 60,
    }
    assert api(alice).get(PATH).json() == answer.json()
    kept = AutoRecharge.objects.get()
    assert (kept.consent, kept.consent_by, kept.consent_at is None) == (recharge.CONSENT, f"user:{alice.pk}", False)
    assert Payment.objects.get().method == card
    actor = Event.objects.filter(type="auto_recharge.changed").latest("id").actor
    assert actor == {"kind": "person", "id": f"user:{alice.pk}"}


def test_without_a_card_or_an_account_it_says_what_is_needed(api: Any, alice: User, organization: Organization) -> None:
    body = {"enabled": True, "threshold": 20, "amount": 50}
    assert api(alice).put(PATH, body).json()["code"] == "billing_account_required"
    factories.billing_account(organization)
    assert api(alice).put(PATH, body).json()["code"] == "payment_method_required"


def test_a_viewer_and_a_stranger_change_nothing(api: Any, bob: User, charlie: User, payer: Organization) -> None:
    assert api(bob).put(PATH, {"enabled": False}).status_code == 403
    assert api(bob).post(f"{PATH}/retry").status_code == 403
    api(charlie).put(PATH, {"enabled": False})
    assert AutoRecharge.objects.of(payer).get().enabled


def test_the_retry_is_a_round(api: Any, alice: User, organization: Organization) -> None:
    paused(organization)
    answer = api(alice).post(f"{PATH}/retry").json()
    assert answer["state"] == "declined"
    assert answer["next_attempt_at"]


# Races


def test_parallel_debits_across_the_line_charge_once(committed: None, bank: FaultySandbox) -> None:
    organization = factories.organization()
    factories.card(organization)
    factories.credit(organization, 30)
    switch_on(organization)

    def use() -> None:
        spend(organization, 1)
        recharge.run(organization, timezone.now())

    race([use] * 20)
    assert Payment.objects.of(organization).filter(purpose="recharge").count() == 1
    assert posting.available(organization.pk) == 60


def test_a_task_that_is_delivered_to_many_workers_charges_once(committed: None, bank: FaultySandbox) -> None:
    organization = factories.organization()
    factories.card(organization)
    switch_on(organization)
    race([partial(recharge.run, organization, timezone.now())] * 8)
    assert Payment.objects.of(organization).count() == 1
    assert posting.available(organization.pk) == 50


def test_the_database_allows_one_recharge_at_a_time(payer: Organization) -> None:
    """The control of the tests above: the lock makes it an answer, the index a certainty."""
    terms = {"organization": payer, "purpose": "recharge", "amount": Decimal(5), "currency": "USD"}
    Payment.objects.create(**terms)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(**terms)
