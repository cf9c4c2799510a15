"""Closing an account that owes and is owed nothing, and opening it again."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from accounts.models import Event, Organization, User
from billing import accounts
from billing.exceptions import NoBillingAccount
from billing.invoicing import renewals, subscriptions
from billing.ledger import posting
from billing.models import AutoRecharge, BillingAccount, LedgerEntry, Payment, Subscription
from billing.payments import purchases, recharge, saving_cards
from tests import factories
from tests.concurrency import race, wait_until_blocking
from tests.conftest import Api
from usage.reporting import onboarding

Client = Callable[[Any], Api]


def test_a_settled_account_is_closed_and_as_good_as_none(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    assert api(alice).delete("/v1/account").status_code == 204
    assert api(alice).get("/v1/account").status_code == 422
    assert api(alice).delete("/v1/account").status_code == 422


def test_one_with_credits_stays_open(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    factories.credit(organization, 5)
    answer = api(alice).delete("/v1/account")
    assert (answer.status_code, answer.json()["code"]) == (409, "account_not_settled")
    assert api(alice).get("/v1/account").status_code == 200


def test_one_in_debt_stays_open(api: Client, alice: User, organization: Organization) -> None:
    factories.billing_account(organization)
    posting.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-1), now=timezone.now())
    assert api(alice).delete("/v1/account").status_code == 409
    assert api(alice).get("/v1/account").status_code == 200


def test_one_with_a_payment_on_its_way_stays_open(api: Client, alice: User, organization: Organization) -> None:
    factories.card(organization)
    purchases.begin(organization, amount=Decimal(20), method=None, by="alice")
    assert api(alice).delete("/v1/account").status_code == 409
    assert Payment.objects.of(organization).get().status == "pending"


def test_closing_cancels_the_subscription(organization: Organization) -> None:
    factories.billing_account(organization)
    subscriptions.subscribe(organization, "developer", now=timezone.now())
    accounts.close(organization, now=timezone.now())
    assert Subscription.objects.of(organization).get().status == "canceled"


def test_what_closing_ends_is_told_and_charges_nothing_any_more(organization: Organization) -> None:
    factories.card(organization)
    AutoRecharge.objects.create(organization=organization, enabled=True, threshold=10, amount=20)
    subscriptions.subscribe(organization, "developer", now=timezone.now())
    accounts.close(organization, now=timezone.now())
    events = Event.objects.of(organization).filter(type__in=["subscription.ended", "auto_recharge.changed"])
    assert [(event.type, event.data.get("reason"), event.data.get("enabled")) for event in events.order_by("pk")] == [
        ("subscription.ended", "account_closed", None),
        ("auto_recharge.changed", None, False),
    ]
    in_a_year = timezone.now() + timedelta(days=366)
    assert (renewals.sweep(in_a_year), recharge.sweep(in_a_year)) == (0, 0)
    assert (Payment.objects.of(organization).count(), LedgerEntry.objects.of(organization).count()) == (0, 0)


def test_opened_again_it_keeps_its_id_and_its_currency(organization: Organization) -> None:
    first = factories.billing_account(organization, country="AU")
    accounts.fix_currency(first)
    accounts.close(organization, now=timezone.now())
    again = factories.billing_account(organization, country="JP")
    assert (again.public_id, again.currency, again.country) == (first.public_id, "AUD", "JP")
    assert BillingAccount.objects.of(organization).count() == 1


def test_a_closed_account_buys_nothing(api: Client, alice: User, organization: Organization) -> None:
    factories.card(organization)
    accounts.close(organization, now=timezone.now())
    assert api(alice).post("/v1/credits/purchases", {"amount": 20}).status_code == 409
    assert not Payment.objects.exists()


def test_a_viewer_may_not_close_it(api: Client, bob: User, organization: Organization) -> None:
    factories.billing_account(organization)
    assert api(bob).delete("/v1/account").status_code == 403
    assert accounts.find(organization) is not None


def test_opened_again_it_has_no_address_of_before(organization: Organization) -> None:
    factories.billing_account(organization, country="JP")
    BillingAccount.objects.of(organization).update(city="Tokyo", line1="1-1", state="13")
    accounts.close(organization, now=timezone.now())
    again = factories.billing_account(organization, country="AU")
    assert (again.city, again.line1, again.state) == ("", "", "")


def test_closing_switches_the_recharge_off(organization: Organization) -> None:
    factories.billing_account(organization)
    AutoRecharge.objects.create(organization=organization, enabled=True, threshold=5, amount=20)
    accounts.close(organization, now=timezone.now())
    assert not AutoRecharge.objects.of(organization).get().enabled


def test_the_first_steps_begin_again(organization: Organization) -> None:
    factories.billing_account(organization)
    accounts.close(organization, now=timezone.now())
    assert not onboarding.progress(organization)["billing_account"]


@pytest.mark.parametrize("step", ["subscribe", "add_method"])
def test_what_waits_for_a_closing_finds_the_account_closed(committed: None, step: str) -> None:
    organization = factories.user("closer").current_organization
    assert organization is not None
    factories.billing_account(organization)
    begun = {
        "subscribe": lambda: subscriptions.subscribe(organization, "developer", now=timezone.now()),
        "add_method": lambda: saving_cards.add(organization, "pm_card_visa"),
    }[step]
    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            posting.lock([organization.pk], timezone.now())
            waiting = pool.submit(in_thread, begun)
            wait_until_blocking()
            accounts.close(organization, now=timezone.now())
        assert isinstance(waiting.result(timeout=30), NoBillingAccount)
    assert not subscriptions.live(organization)


def in_thread(call: Callable[[], Any]) -> Any:
    return race([call])[0]
