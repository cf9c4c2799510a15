"""Closing an account that owes and is owed nothing, and opening it again."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from accounts.models import Organization, User
from billing import accounts, ledger, payments, subscriptions
from billing.models import BillingAccount, LedgerEntry, Payment, Subscription
from tests import factories
from tests.conftest import Api

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
    ledger.post(organization.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-1))
    assert api(alice).delete("/v1/account").status_code == 409
    assert api(alice).get("/v1/account").status_code == 200


def test_one_with_a_payment_on_its_way_stays_open(api: Client, alice: User, organization: Organization) -> None:
    factories.card(organization)
    payments.begin(organization, amount=Decimal(20), method=None, by="alice")
    assert api(alice).delete("/v1/account").status_code == 409
    assert Payment.objects.of(organization).get().status == "pending"


def test_closing_cancels_the_subscription(organization: Organization) -> None:
    factories.billing_account(organization)
    subscriptions.subscribe(organization, "developer")
    accounts.close(organization)
    assert Subscription.objects.of(organization).get().status == "canceled"


def test_opened_again_it_keeps_its_id_and_its_currency(organization: Organization) -> None:
    first = factories.billing_account(organization, country="AU")
    accounts.settle_currency(first)
    accounts.close(organization)
    again = factories.billing_account(organization, country="JP")
    assert (again.public_id, again.currency, again.country) == (first.public_id, "AUD", "JP")
    assert BillingAccount.objects.of(organization).count() == 1


def test_a_closed_account_buys_nothing(api: Client, alice: User, organization: Organization) -> None:
    factories.card(organization)
    accounts.close(organization)
    assert api(alice).post("/v1/credits/purchases", {"amount": 20}).status_code == 409
    assert not Payment.objects.exists()


def test_a_viewer_may_not_close_it(api: Client, bob: User, organization: Organization) -> None:
    factories.billing_account(organization)
    assert api(bob).delete("/v1/account").status_code == 403
    assert accounts.find(organization) is not None
