"""The page of the plan: the plans on offer, what a change costs today, and making the change."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from django.test import Client
from django.utils import timezone

from accounts.models import Organization, User
from billing import clock
from billing.exceptions import NotEnoughCredits
from billing.invoicing import subscriptions
from billing.models import Plan, Subscription
from tests import factories


def signed_in(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def test_a_plan_is_taken_changed_canceled_and_kept(db: None, alice: User, funded: Organization) -> None:
    Plan.objects.create(slug="pro", name="Pro", monthly_price=Decimal(30), grant=5)
    Plan.objects.create(slug="team", name="Team", monthly_price=Decimal(60))
    factories.billing_account(funded)
    client, page = signed_in(alice), f"/o/{funded.public_id}/plan/"
    assert "30 credits today" in client.get(page).content.decode()
    review = client.get(f"{page}change/?plan=pro&interval=month").content.decode()
    assert "Pay 30 credits" in review
    for path, body in (
        ("change/", {"plan": "pro", "interval": "month"}),
        ("change/", {"plan": "team", "interval": "month"}),
        ("cancel/", {}),
        ("resume/", {}),
    ):
        assert client.post(f"{page}{path}", body).status_code == 302
    subscription = Subscription.objects.of(funded).get()
    assert (subscription.plan.slug, subscription.cancel_at_period_end) == ("team", False)
    assert "This is your plan." in client.get(page).content.decode()


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"plan": "team", "interval": "month"}, "Your plan is changed."),
        ({"plan": "hobby", "interval": "month"}, "From 1 March 2027 on, your plan is Hobby."),
        ({"plan": "pro", "interval": "month"}, "The plan continues."),
        ({}, "The plan ends with its period."),
    ],
)
def test_what_becomes_of_a_plan_is_said(alice: User, funded: Organization, form: dict[str, str], message: str) -> None:
    for slug, price in (("hobby", 10), ("pro", 30), ("team", 60)):
        Plan.objects.create(slug=slug, name=slug.title(), monthly_price=Decimal(price))
    factories.billing_account(funded)
    with time_machine.travel(datetime(2027, 2, 1, 12, tzinfo=UTC), tick=False):
        subscriptions.subscribe(funded, "pro", now=timezone.now())
        path = f"/o/{funded.public_id}/plan/{'change' if form else 'cancel'}/"
        assert message in signed_in(alice).post(path, form, follow=True).content.decode()


def test_a_plan_that_is_not_paid_ends_when_it_is_canceled(alice: User, funded: Organization) -> None:
    factories.billing_account(funded)
    subscriptions.subscribe(funded, "developer", now=timezone.now())
    Subscription.objects.of(funded).update(status="past_due")
    answer = signed_in(alice).post(f"/o/{funded.public_id}/plan/cancel/", follow=True)
    assert "Your plan has ended." in answer.content.decode()


def test_a_plan_that_costs_nothing_has_one_button(db: None, alice: User, funded: Organization) -> None:
    factories.billing_account(funded)
    client, page = signed_in(alice), f"/o/{funded.public_id}/plan/"
    assert client.get(page).content.decode().count("plan=developer") == 1
    subscriptions.subscribe(funded, "developer", now=timezone.now())
    assert "plan=developer" not in client.get(page).content.decode()


def test_what_is_refused_is_said(db: None, alice: User, funded: Organization) -> None:
    Plan.objects.create(slug="pro", name="Pro", monthly_price=Decimal(300))
    client, page = signed_in(alice), f"/o/{funded.public_id}/plan/"
    assert "Create a billing account" in client.get(page).content.decode()
    factories.billing_account(funded)
    answer = client.post(f"{page}change/", {"plan": "pro", "interval": "month"}, follow=True)
    assert NotEnoughCredits.detail in answer.content.decode()
    assert not Subscription.objects.exists()


def test_a_moved_clock_and_a_debt_are_shown(db: None, alice: User, funded: Organization) -> None:
    factories.billing_account(funded)
    subscriptions.subscribe(funded, "developer", now=timezone.now())
    Subscription.objects.of(funded).update(status="past_due", price=7)
    clock.move(funded.pk, timezone.now() + timedelta(days=60))
    page: Any = signed_in(alice).get(f"/o/{funded.public_id}/plan/").content.decode()
    assert "This is a test organization." in page
    assert "7 credits are needed" in page
