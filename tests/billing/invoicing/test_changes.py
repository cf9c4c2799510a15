"""Changing a plan within a period."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.db.utils import InternalError

from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing.exceptions import NotEnoughCredits
from billing.invoicing import changes, plans, renewals
from billing.models import Meter, Plan, PlanAllowance, PlanPrice
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
from usage.storage import reconciliation

DAY = timedelta(days=1)
FEBRUARY = datetime(2026, 2, 28, 12, tzinfo=UTC)
HALF = START + 14 * DAY  # of the 28 days


@pytest.fixture(autouse=True)
def _plans(db: None) -> None:
    plan("pro", 30, grant=10)
    yearly(plan("team", 100, grant=30), 1000)


def change(organization: Organization, slug: str, now: datetime = HALF, interval: str | None = None) -> None:
    changes.change(organization, slug, interval, now=now, actor=BY)


def test_an_upgrade_pays_the_difference_for_what_is_left_and_cuts_the_period(db: None) -> None:
    organization = subscriber()
    subscribe(organization, "pro")
    quote: Any = changes.quote(organization, "team", None, HALF)
    assert (quote.is_immediate, quote.charge, quote.price) == (True, 35, 100)
    change(organization, "team")
    assert stretches(organization) == [("01-31 02-14", "pro", 30), ("02-14 02-28", "team", 35)]
    assert fees(organization) == [30, 35]
    given = organization.ledger_account.grants.filter(category="promotional").order_by("entry_seq")
    assert [(lot.amount, lot.expires_at) for lot in given if lot.amount < 100] == [(10, FEBRUARY), (10, FEBRUARY)]
    renewals.run(organization, FEBRUARY)
    assert taken(organization).status == "past_due"
    assert reconciliation.run() == []


def test_the_first_grant_after_another_interval_is_for_the_rest_of_a_month(db: None) -> None:
    """The month of the last grant ends on the 28th, and those of the year begin on the 14th."""
    organization = subscriber(2000)
    subscribe(organization, "team")
    change(organization, "team", interval="year")
    renewals.run(organization, FEBRUARY)
    month = HALF.replace(month=3)
    given = organization.ledger_account.grants.get(expires_at=month)
    assert given.amount == 15  # 14 days of the 28 from 14 February to 14 March
    renewals.run(organization, month)
    assert organization.ledger_account.grants.get(expires_at=HALF.replace(month=4)).amount == 30
    assert reconciliation.run() == []


def test_two_upgrades_at_one_moment_are_two_periods(db: None) -> None:
    organization = subscriber(500)
    plan("max", 200)
    subscribe(organization, "pro")
    change(organization, "team", START)
    change(organization, "max", START)
    ends = [(row.starts_at, row.ends_at) for row in taken(organization).periods.order_by("starts_at")]
    assert all(end == start for (_, end), (start, _) in pairwise(ends))
    assert reconciliation.run() == []


def test_a_period_that_has_ended_is_renewed_before_the_plan_changes(db: None) -> None:
    """The sweep may come a minute later."""
    organization = subscriber(200)
    subscribe(organization, "pro")
    change(organization, "team", FEBRUARY + timedelta(seconds=1))
    assert [row[:2] for row in stretches(organization)][-1] == ("02-28 03-31", "team")
    assert fees(organization)[:2] == [30, 30]
    assert told(organization) == ["created", "renewed", "changed"]
    assert reconciliation.run() == []


def test_an_upgrade_that_is_not_affordable_changes_nothing(db: None) -> None:
    organization = subscriber(54)
    subscribe(organization, "pro")
    with pytest.raises(NotEnoughCredits):
        change(organization, "team")
    assert (stretches(organization), taken(organization).plan.slug) == ([("01-31 02-28", "pro", 30)], "pro")
    assert told(organization) == ["created"]


def test_a_downgrade_begins_with_the_next_period_and_can_be_taken_back(db: None) -> None:
    organization = subscriber(200)
    subscribe(organization, "team")
    change(organization, "pro")
    assert (taken(organization).plan.slug, taken(organization).next_plan.slug) == ("team", "pro")  # type: ignore[union-attr]
    change(organization, "team")
    assert taken(organization).next_plan is None
    change(organization, "pro")
    renewals.run(organization, FEBRUARY)
    assert stretches(organization) == [("01-31 02-28", "team", 100), ("02-28 03-31", "pro", 30)]
    assert reconciliation.run() == []


def test_another_interval_begins_a_new_period_less_what_was_paid_and_not_used(db: None) -> None:
    organization = subscriber(2000)
    subscribe(organization, "team")
    change(organization, "team", interval="year")
    assert stretches(organization) == [("01-31 02-14", "team", 100), ("02-14 02-14", "team", 950)]
    assert taken(organization).current_period_end == HALF.replace(year=2027)
    change(organization, "team", HALF + DAY, "month")
    assert taken(organization).next_interval == "month"
    renewals.run(organization, HALF.replace(year=2027))
    assert fees(organization) == [100, 950, 100]
    assert reconciliation.run() == []


def test_a_plan_without_a_price_in_the_currency_is_not_taken(db: None) -> None:
    euros = plan("euros", None)
    PlanPrice.objects.create(plan=euros, currency="EUR", interval="month", amount=5)
    with pytest.raises(InvalidField) as refused:
        subscribe(subscriber(), "euros")
    assert refused.value.errors[0]["detail"] == "The plan has no price in USD by the month."


def test_canceling_ends_it_with_the_period_unless_it_is_resumed(db: None) -> None:
    organization = subscriber(200)
    subscribe(organization, "pro")
    changes.cancel(organization, now=HALF, actor=BY)
    changes.resume(organization, now=HALF, actor=BY)
    changes.cancel(organization, now=HALF, actor=BY)
    assert (taken(organization).status, taken(organization).cancel_at_period_end) == ("active", True)
    renewals.run(organization, FEBRUARY)
    assert (taken(organization).status, taken(organization).ended_at) == ("canceled", FEBRUARY)
    assert told(organization) == ["created", "canceled", "resumed", "canceled", "ended"]


def test_nothing_is_changed_in_a_subscription_that_is_past_due(db: None) -> None:
    organization = subscriber(30)
    subscribe(organization, "pro")
    renewals.run(organization, FEBRUARY)
    with pytest.raises(changes.SubscriptionPastDue):
        change(organization, "team", FEBRUARY)
    changes.cancel(organization, now=FEBRUARY, actor=BY)
    assert taken(organization).status == "canceled"


def test_the_terms_of_a_version_that_was_sold_never_change(db: None) -> None:
    subscribe(subscriber(), "pro")
    sold, meter = Plan.objects.get(slug="pro"), Meter.objects.get(slug="sms")
    attacks: list[Callable[[], object]] = [
        lambda: Plan.objects.filter(pk=sold.pk).update(monthly_price=1),
        lambda: Plan.objects.filter(pk=sold.pk).update(grant=1000),
        lambda: PlanPrice.objects.create(plan=sold, currency="USD", interval="month", amount=1),
        lambda: PlanAllowance.objects.create(plan=sold, meter=meter, included_quantity=9),
    ]
    for attack in attacks:
        with pytest.raises((IntegrityError, InternalError), match="was sold"), transaction.atomic():
            attack()
    Plan.objects.filter(pk=sold.pk).update(name="Professional", is_offered=False)


def test_who_has_an_older_version_keeps_it(db: None) -> None:
    organization = subscriber()
    subscribe(organization, "pro")
    dearer = plans.next_version(Plan.objects.get(slug="pro"))
    Plan.objects.filter(pk=dearer.pk).update(monthly_price=Decimal(40))
    plans.offer(dearer)
    renewals.run(organization, FEBRUARY)
    assert fees(organization) == [30, 30]
    subscribe(other := subscriber(), "pro")
    assert (fees(other), taken(other).plan.version) == ([40], 2)
