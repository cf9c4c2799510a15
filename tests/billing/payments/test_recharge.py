"""Auto-recharge: entering and leaving each state; one charge, however many ask and however often."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

import pytest
import time_machine
from celery import current_app
from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.models import Event, Organization, User
from billing import tasks
from billing.ledger import balances, holds, posting
from billing.models import AutoRecharge, LedgerAccount, LedgerEntry, Payment
from billing.payments import payments, purchases, recharge, recharge_settings
from tests import factories
from tests.billing.payments.gateway import FaultySandbox, unavailable
from tests.billing.payments.recharging import bought, pause, spend, state, sweep, switch_on
from tests.concurrency import race

PATH = "/v1/credits/auto-recharge"


# When, and how much


def test_it_charges_below_the_threshold_and_not_at_it(payer: Organization, bank: FaultySandbox) -> None:
    spend(payer, 80)
    assert (sweep(), state(payer)) == (0, "armed")
    spend(payer, "0.000000001")
    assert sweep() == 1
    assert bought(payer) == [50]
    assert posting.available(payer.pk, timezone.now()) == Decimal("69.999999999")
    assert bank.charged == [5000]


def test_holds_lower_it_too(payer: Organization) -> None:
    holds.place(payer, amount=Decimal(81), ttl=timedelta(minutes=5), now=timezone.now())
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
    posting.post(payer.pk, kind=LedgerEntry.Kind.USAGE, amount=-Decimal(spent), now=timezone.now())
    sweep()
    assert bought(payer) == [charge]


def test_a_debt_that_one_charge_can_not_cover_is_not_charged(payer: Organization) -> None:
    posting.post(payer.pk, kind=LedgerEntry.Kind.USAGE, amount=-Decimal(1_000_100), now=timezone.now())
    assert recharge.run(payer, timezone.now()) is None
    assert bought(payer) == []


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


def test_a_charge_counts_in_the_payers_month_in_which_it_began(db: None, bank: FaultySandbox) -> None:
    """At UTC+14 the month turns at 10:00. The answer comes after it."""
    organization = Organization.objects.create_root(name="Line Islands", timezone="Pacific/Kiritimati")
    factories.card(organization)
    switch_on(organization, monthly_count=1)
    bank.after["confirm"] = unavailable
    before, after = (datetime(2030, 11, 30, 10, tzinfo=UTC) + timedelta(minutes=n) for n in (-1, 1))
    with time_machine.travel(before, tick=False):
        tasks.recharge_accounts()
        assert recharge.spent_this_month(organization, before) == (Decimal(50), 1)
    bank.after.clear()
    with time_machine.travel(after, tick=False):
        assert recharge.spent_this_month(organization, after) == (Decimal(0), 0)
        assert (state(organization), tasks.recharge_accounts()) == ("confirming", 0)
        assert payments.sweep(after) == 1
        spend(organization, 40)
        assert state(organization) == "cooldown"
    assert bank.charged == [5000]


def test_manual_purchases_do_not_count(payer: Organization) -> None:
    switch_on(payer, monthly_limit=Decimal(60))
    payments.complete(purchases.begin(payer, amount=Decimal(55), method=None, by="test").pk)
    spend(payer, 150)
    assert sweep() == 1


def test_three_in_an_hour_advise_a_larger_amount(payer: Organization, settings: Any) -> None:
    settings.RECHARGE_COOLDOWN_SECONDS = 0
    spend(payer, 90)
    for _ in range(3):
        sweep()
        spend(payer, 50)
    assert Event.objects.of(payer).filter(type="auto_recharge.frequent").count() == 1


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
        ({"threshold": 20, "amount": 1_000_000}, "/amount"),
        ({"threshold": 20, "target": 1_000_000}, "/target"),
        ({"threshold": 1_000_000, "amount": 50}, "/threshold"),
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
        "description": (
            "When less than 20 credits are left, credits are bought up to a balance of 60, at most 500 a month."
        ),
        "next_attempt_at": None,
        "spent_this_month": 60,
    }
    assert api(alice).get(PATH).json() == answer.json()
    kept = AutoRecharge.objects.get()
    assert (kept.consent, kept.consent_by, kept.consent_at is None) == (
        recharge_settings.CONSENT,
        f"user:{alice.pk}",
        False,
    )
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
    pause(organization)
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
    assert posting.available(organization.pk, timezone.now()) == 60


def test_a_task_that_is_delivered_to_many_workers_charges_once(committed: None, bank: FaultySandbox) -> None:
    organization = factories.organization()
    factories.card(organization)
    switch_on(organization)
    race([partial(recharge.run, organization, timezone.now())] * 8)
    assert Payment.objects.of(organization).count() == 1
    assert posting.available(organization.pk, timezone.now()) == 50


def test_the_database_allows_one_recharge_at_a_time(payer: Organization) -> None:
    """The control of the tests above: the lock makes it an answer, the index a certainty."""
    terms = {"organization": payer, "purpose": "recharge", "amount": Decimal(5), "currency": "USD"}
    Payment.objects.create(**terms)
    with pytest.raises(IntegrityError), transaction.atomic():
        Payment.objects.create(**terms)


# The nudge


def published(capture: Any, monkeypatch: pytest.MonkeyPatch, step: Callable[[], Any]) -> list[str]:
    """The accounts whose recharge a step starts after its commit."""
    calls: list[Any] = []
    monkeypatch.setattr(current_app, "send_task", lambda task, args: calls.append((task, args)))
    with capture(execute=True):
        step()
    return [args[0] for task, args in calls if task == tasks.recharge_account.name]


@pytest.mark.parametrize(
    ("before", "amount", "is_woken"),
    [("0", "80", False), ("0", "80.01", True), ("80.01", "5", False), ("80", "0.01", True)],
)
def test_the_posting_that_crosses_the_line_wakes_it_and_no_other_does(
    payer: Organization,
    django_capture_on_commit_callbacks: Any,
    monkeypatch: pytest.MonkeyPatch,
    before: str,
    amount: str,
    is_woken: bool,
) -> None:
    if Decimal(before):
        spend(payer, before)
    accounts = published(django_capture_on_commit_callbacks, monkeypatch, lambda: spend(payer, amount))
    assert accounts == ([str(payer.pk)] if is_woken else [])


def test_a_batch_of_usage_wakes_it_and_so_it_charges(
    payer: Organization, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    debits = {payer.pk: Decimal(90)}

    def use() -> None:
        with transaction.atomic():
            posting.lock(debits, timezone.now())
            balances.post_usage(debits, timezone.now())

    [account] = published(django_capture_on_commit_callbacks, monkeypatch, use)
    assert tasks.recharge_account(account)
    assert bought(payer) == [50]


def test_nothing_is_woken_while_it_is_off(
    payer: Organization, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch_on(payer, enabled=False)
    assert published(django_capture_on_commit_callbacks, monkeypatch, lambda: spend(payer, 90)) == []


# The monthly limit is announced


def limits(organization: Organization) -> list[tuple[int, Any]]:
    crossed = Event.objects.of(organization).filter(type="auto_recharge.limit_crossed").order_by("pk")
    return [(event.data["threshold"], event.data["spent"]) for event in crossed]


def test_80_and_100_percent_of_the_monthly_limit_are_told_once(payer: Organization, settings: Any) -> None:
    settings.RECHARGE_COOLDOWN_SECONDS = 0
    switch_on(payer, monthly_limit=Decimal(120))
    seen = []
    for amount in (90, 50, 50, 50):
        posting.post(payer.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-amount), now=timezone.now())
        sweep()
        seen.append(limits(payer))
    assert seen == [[], [(80, 100)], [(80, 100), (100, 100)], [(80, 100), (100, 100)]]
    switch_on(payer, monthly_limit=Decimal(170))
    sweep()
    assert limits(payer)[2:] == [(80, 160)]


def test_a_limit_that_a_charge_fills_is_told_at_once(payer: Organization) -> None:
    switch_on(payer, monthly_limit=Decimal(50))
    spend(payer, 90)
    sweep()
    assert limits(payer) == [(80, 50), (100, 50)]
