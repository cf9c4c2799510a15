"""What falls due in a subscription."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core import mail

from accounts import emails
from accounts.models import Organization
from billing import accounts
from billing.invoicing import changes, renewals
from billing.ledger import posting
from billing.models import AutoRecharge, Grant, Payment, Plan, Subscription
from tests import factories
from tests.billing.invoicing.subscribing import (
    BY,
    START,
    fees,
    plan,
    stretches,
    subscribe,
    subscriber,
    taken,
    told,
    yearly,
)
from tests.concurrency import race
from usage.storage import reconciliation

DAY = timedelta(days=1)
FEBRUARY, MARCH = datetime(2026, 2, 28, 12, tzinfo=UTC), datetime(2026, 3, 31, 12, tzinfo=UTC)


@pytest.fixture
def pro(db: None) -> Plan:
    return plan("pro", 30)


def balance(organization: Organization, now: datetime = MARCH) -> Any:
    return posting.available(organization.pk, now)


def test_each_period_is_a_row_and_its_fee_an_entry(pro: Plan) -> None:
    organization = subscriber()
    subscribe(organization, "pro")
    renewals.run(organization, FEBRUARY - timedelta(microseconds=1))
    assert stretches(organization) == [("01-31 02-28", "pro", 30)]
    renewals.run(organization, FEBRUARY)
    renewals.run(organization, FEBRUARY)
    assert stretches(organization) == [("01-31 02-28", "pro", 30), ("02-28 03-31", "pro", 30)]
    assert (fees(organization), balance(organization)) == ([30, 30], 40)
    assert told(organization) == ["created", "renewed"]
    assert taken(organization).current_period_end == MARCH
    assert reconciliation.run() == []


def test_what_was_missed_is_made_up_for_in_order(pro: Plan) -> None:
    organization = subscriber()
    subscribe(organization, "pro")
    renewals.sweep(MARCH)
    assert [stretch[0] for stretch in stretches(organization)] == ["01-31 02-28", "02-28 03-31", "03-31 04-30"]
    assert balance(organization) == 10


def test_a_grant_ends_with_its_month_and_a_renewal_touches_no_other_lot(db: None) -> None:
    organization = subscriber(200)
    plan("pro", 30, grant=20)
    subscribe(organization, "pro")
    lots = Grant.objects.of(organization).order_by("entry_seq")
    assert [(lot.amount, lot.priority, lot.expires_at) for lot in lots] == [(200, 50, None), (20, 0, FEBRUARY)]
    assert balance(organization, START) == 190
    renewals.run(organization, FEBRUARY)
    posting.bring_up_to_date(organization.pk, FEBRUARY)
    assert [lot.remaining for lot in lots.all()] == [140, 0, 20]
    assert reconciliation.run() == []


def test_a_plan_that_is_paid_by_the_year_gives_its_grant_each_month(db: None) -> None:
    organization = subscriber(500)
    yearly(plan("pro", 30, grant=20), 300)
    subscribe(organization, "pro", interval="year")
    renewals.run(organization, FEBRUARY)
    renewals.run(organization, MARCH)
    given = Grant.objects.of(organization).filter(amount=20).order_by("entry_seq")
    assert [f"{lot.expires_at:%m-%d}" for lot in given] == ["02-28", "03-31", "04-30"]
    assert (fees(organization), taken(organization).current_period_end) == ([300], START.replace(year=2027))


def test_too_few_credits_are_past_due_and_tried_on_the_days_of_the_schedule(pro: Plan) -> None:
    organization = subscriber(59)
    subscribe(organization, "pro")
    tries = [FEBRUARY]
    renewals.run(organization, FEBRUARY)
    while taken(organization).next_at:
        assert taken(organization).status == "past_due"
        tries.append(taken(organization).next_at or FEBRUARY)
        renewals.run(organization, tries[-1] - timedelta(seconds=1))
        renewals.run(organization, tries[-1])
    assert [(moment - FEBRUARY).days for moment in tries] == [0, 1, 3, 5, 7]
    ended = taken(organization)
    assert (ended.status, ended.ended_at, fees(organization)) == ("canceled", FEBRUARY, [30])
    assert told(organization) == ["created", "past_due", "ended"]
    assert reconciliation.run() == []


def test_a_period_that_is_paid_late_begins_where_the_last_one_ended(pro: Plan) -> None:
    organization = subscriber(30)
    subscribe(organization, "pro")
    renewals.run(organization, FEBRUARY)
    factories.credit(organization, 30)
    renewals.retry(organization, FEBRUARY + DAY / 2)
    assert stretches(organization)[1] == ("02-28 03-31", "pro", 30)
    assert (taken(organization).status, balance(organization)) == ("active", 0)


def test_without_a_payment_the_free_plan_follows_by_setting(pro: Plan, settings: Any) -> None:
    settings.FALLBACK_PLAN = "developer"
    organization = subscriber(30)
    subscribe(organization, "pro")
    for days in (0, 1, 3, 5, 7):
        renewals.run(organization, FEBRUARY + days * DAY)
    live = Subscription.objects.of(organization).live().get()
    assert (live.plan.slug, live.current_period_start) == ("developer", FEBRUARY + 7 * DAY)


@pytest.mark.parametrize("charges", [1, 0])
def test_auto_recharge_gets_one_chance(pro: Plan, charges: int) -> None:
    organization = subscriber(40)
    if charges:
        card = factories.card(organization)
        AutoRecharge.objects.create(
            organization=organization, enabled=True, threshold=5, amount=10, payment_method=card
        )
    subscribe(organization, "pro")
    renewals.run(organization, FEBRUARY)
    bought = Payment.objects.of(organization).filter(purpose="recharge", status="succeeded")
    assert [payment.amount for payment in bought] == [25] * charges
    assert taken(organization).status == ("active" if charges else "past_due")
    assert balance(organization) == (5 if charges else 10)


def test_a_trial_costs_nothing_is_announced_and_then_charged(db: None, django_capture_on_commit_callbacks: Any) -> None:
    organization = subscriber()
    plan("pro", 30, grant=5, trial_days=14)
    subscribe(organization, "pro")
    assert (taken(organization).status, fees(organization), balance(organization)) == ("trialing", [], 100)
    renewals.run(organization, START + 7 * DAY - timedelta(seconds=1))
    assert told(organization) == ["created"]
    with django_capture_on_commit_callbacks(execute=True):
        renewals.run(organization, START + 7 * DAY)
        renewals.run(organization, START + 8 * DAY)
    emails.send_due({})
    assert ["Your trial ends soon" in sent.subject for sent in mail.outbox] == [True]
    renewals.run(organization, START + 14 * DAY)
    assert stretches(organization) == [("01-31 02-14", "pro", 0), ("02-14 03-14", "pro", 30)]
    assert told(organization) == ["created", "trial_ending", "renewed"]
    assert reconciliation.run() == []


@pytest.mark.parametrize(("setting", "status"), [("canceled", "canceled"), ("past_due", "past_due")])
def test_a_trial_without_card_and_credits_ends_by_setting(db: None, settings: Any, setting: str, status: str) -> None:
    settings.TRIAL_ENDS_WITHOUT_CARD = setting
    organization = subscriber(0)
    plan("pro", 30, trial_days=14)
    subscribe(organization, "pro")
    renewals.run(organization, START + 14 * DAY)
    assert taken(organization).status == status


def test_there_is_one_trial_of_a_plan(db: None) -> None:
    organization = subscriber()
    plan("pro", 30, trial_days=14)
    subscribe(organization, "pro")
    changes.cancel(organization, now=START + DAY, actor=BY)
    renewals.run(organization, START + 14 * DAY)
    subscribe(organization, "pro", START + 15 * DAY)
    assert (taken(organization).status, fees(organization)) == ("active", [30])


def test_a_change_of_the_time_zone_counts_from_the_next_period_on(pro: Plan) -> None:
    organization = subscriber()
    subscribe(organization, "pro")
    Organization.objects.filter(pk=organization.pk).update(timezone="Pacific/Kiritimati")
    renewals.run(organization, FEBRUARY)
    first, second = taken(organization).periods.order_by("starts_at")
    assert (first.ends_at, second.starts_at) == (FEBRUARY, FEBRUARY)
    assert second.ends_at == MARCH - timedelta(hours=14)


def test_a_row_of_the_first_release_is_brought_up_to_date_and_charged_from_its_next_month_on(pro: Plan) -> None:
    organization = subscriber()
    Subscription.objects.create(
        organization=organization, plan=pro, current_period_start=START, current_period_end=FEBRUARY, created_at=START
    )
    renewals.sweep(MARCH + DAY)
    assert stretches(organization) == [("01-31 04-30", "pro", 0)]
    assert taken(organization).price == 30


def test_a_closed_account_has_no_subscription(pro: Plan) -> None:
    organization = subscriber(30)
    subscribe(organization, "pro")
    accounts.close(organization, now=START + DAY)
    renewals.sweep(MARCH)
    assert (taken(organization).status, fees(organization)) == ("canceled", [30])


def test_of_many_that_renew_at_once_one_pays(committed: None) -> None:
    organization = subscriber(1000)
    slug = plan(factories.unique("plan"), 30).slug
    subscribe(organization, slug)
    assert race([lambda: renewals.run(organization, FEBRUARY)] * 8) == [None] * 8
    assert fees(organization) == [30, 30]


def test_without_the_lock_they_would_be_in_each_others_way(committed: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: the unique period stops the second, who did not wait for the first."""
    organization = subscriber(1000)
    slug = plan(factories.unique("plan"), 30).slug
    subscribe(organization, slug)
    monkeypatch.setattr(posting, "LOCK", posting.LOCK.replace("FOR NO KEY UPDATE", ""))
    results = race([lambda: renewals.run(organization, FEBRUARY)] * 8)
    assert any(isinstance(result, Exception) for result in results)
