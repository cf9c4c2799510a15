"""Taking a plan: once, paid from the credits, and settling the currency."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import Organization, User
from billing.invoicing import subscriptions
from billing.ledger import posting
from billing.models import LedgerEntry, Plan, Subscription
from tests import factories
from tests.concurrency import race
from tests.conftest import Api

Client = Callable[[Any], Api]


@pytest.fixture
def pro(db: None) -> Plan:
    return Plan.objects.create(slug="pro", name="Pro", monthly_price=Decimal(30))


def test_the_free_plan_is_taken_as_documented(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization, country="AU")
    answer = api(alice).post("/v1/subscriptions", {"plan": "developer"})
    assert answer.status_code == 201
    shown = answer.json()
    assert list(shown)[:6] == [
        *("id", "plan", "status", "current_period_start", "current_period_end", "cancel_at_period_end"),
    ]
    assert shown["id"].startswith("sub_")
    assert (shown["plan"], shown["status"], shown["cancel_at_period_end"]) == ("developer", "active", False)


def test_it_settles_the_currency_from_the_country(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization, country="AU")
    api(alice).post("/v1/subscriptions", {"plan": "developer"})
    api(alice).patch("/v1/account", {"address": {"country": "JP"}})
    assert api(alice).get("/v1/account").json()["currency"] == "AUD"


def test_it_needs_a_billing_account(api: Client, alice: User) -> None:
    answer = api(alice).post("/v1/subscriptions", {"plan": "developer"})
    assert (answer.status_code, answer.json()["code"]) == (409, "billing_account_required")
    assert not Subscription.objects.exists()


def test_a_paid_plan_debits_its_first_month(pro: Plan, organization: Organization) -> None:
    factories.billing_account(organization)
    factories.credit(organization, 100)
    taken = subscriptions.subscribe(organization, "pro", now=timezone.now())
    entry = LedgerEntry.objects.of(organization).latest("seq")
    assert (entry.kind, entry.amount, entry.reference) == ("subscription", Decimal(-30), taken.public_id)
    assert posting.available(organization.pk, timezone.now()) == 70


def test_one_that_is_not_affordable_changes_nothing(
    api: Client, alice: User, pro: Plan, organization: Organization
) -> None:
    factories.billing_account(organization)
    factories.credit(organization, 29)
    answer = api(alice).post("/v1/subscriptions", {"plan": "pro"})
    assert (answer.status_code, answer.json()["code"]) == (402, "not_enough_credits")
    assert not Subscription.objects.exists()
    assert api(alice).get("/v1/account").json()["currency"] == ""


def test_a_second_one_is_refused(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    subscriptions.subscribe(organization, "developer", now=timezone.now())
    answer = api(alice).post("/v1/subscriptions", {"plan": "developer"})
    assert (answer.status_code, answer.json()["code"]) == (409, "already_subscribed")


def test_an_unknown_plan_names_the_field(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    answer = api(alice).post("/v1/subscriptions", {"plan": "nothing"})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/plan")


def test_a_viewer_may_not_subscribe(api: Client, bob: User, organization: Organization) -> None:
    factories.billing_account(organization)
    assert api(bob).post("/v1/subscriptions", {"plan": "developer"}).status_code == 403
    assert not Subscription.objects.exists()


def test_a_child_is_billed_by_its_root(api: Client, alice: User, organization: Organization) -> None:
    child = Organization.objects.create_child(organization, name="Child")
    alice.current_organization = child
    for answer in (
        api(alice).get("/v1/subscriptions"),
        api(alice).post("/v1/subscriptions", {"plan": "developer"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")


def test_the_summary_shows_it(api: Client, alice: User, organization: Organization) -> None:
    assert api(alice).get("/auth/account/summary").json()["subscription"] is None
    factories.billing_account(organization)
    taken = subscriptions.subscribe(organization, "developer", now=timezone.now())
    assert api(alice).get("/auth/account/summary").json()["subscription"]["id"] == taken.public_id


def test_of_many_that_subscribe_at_once_one_pays(committed: None) -> None:
    organization = factories.user("racer").current_organization
    assert organization is not None
    plan = Plan.objects.create(slug=factories.unique("plan"), name="Pro", monthly_price=Decimal(30))
    factories.billing_account(organization)
    factories.credit(organization, 1000)
    race([lambda: subscriptions.subscribe(organization, plan.slug, now=timezone.now())] * 8)
    assert Subscription.objects.of(organization).count() == 1
    assert posting.available(organization.pk, timezone.now()) == 970
