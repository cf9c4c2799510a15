"""Billing accounts: one a root, in one currency for good."""

from functools import partial
from threading import Barrier
from typing import Any

import pytest

from accounts.lib import countries
from accounts.models import Organization
from billing import accounts
from billing.accounts import AccountExists
from billing.exceptions import BilledByParent, NoBillingAccount
from billing.models import BillingAccount
from tests import factories
from tests.concurrency import race


def test_an_account_starts_without_a_currency(organization: Organization) -> None:
    account = accounts.create(organization, name="Acme", email="Bills@Example.COM", country="DE")
    assert (account.email, account.currency, account.country) == ("bills@example.com", "", "DE")
    assert accounts.find(organization) == accounts.required(organization) == account


def test_an_organization_without_an_account_has_none(organization: Organization) -> None:
    assert accounts.find(organization) is None
    with pytest.raises(NoBillingAccount):
        accounts.required(organization)


def test_a_second_account_is_refused_and_the_first_stays(organization: Organization) -> None:
    factories.billing_account(organization)
    with pytest.raises(AccountExists):
        accounts.create(organization, name="Second", email="second@example.com", country="DE")
    assert BillingAccount.objects.of(organization).get().name == "Acme Inc."


def test_a_child_has_no_account_and_gets_none(organization: Organization) -> None:
    factories.billing_account(organization)
    child = Organization.objects.create_child(organization, name="Child")
    with pytest.raises(BilledByParent):
        accounts.find(child)
    with pytest.raises(BilledByParent):
        accounts.create(child, name="Child", email="child@example.com", country="US")
    assert not BillingAccount.objects.of(child).exists()


def test_an_update_writes_what_it_names_and_nothing_else(organization: Organization) -> None:
    """A stale copy of the account does not undo what another request wrote meanwhile."""
    stale = factories.billing_account(organization)
    BillingAccount.objects.of(organization).update(city="Berlin")
    accounts.update(stale, {"name": "New name"})
    assert BillingAccount.objects.filter(name="New name", city="Berlin").exists()


def test_the_currency_is_set_once_and_stays_when_the_country_changes(organization: Organization) -> None:
    account = factories.billing_account(organization, country="JP")
    assert accounts.fix_currency(account) == "JPY"
    accounts.update(account, {"country": "US"})
    assert accounts.fix_currency(account) == "JPY"


@pytest.mark.usefixtures("committed")
def test_of_many_accounts_created_at_once_one_is() -> None:
    organization = factories.organization()
    results: list[Any] = race([partial(factories.billing_account, organization)] * 8)
    assert sum(isinstance(result, BillingAccount) for result in results) == 1
    assert sum(isinstance(result, AccountExists) for result in results) == 7


@pytest.mark.usefixtures("committed")
def test_of_two_currencies_settled_at_once_both_callers_get_the_first() -> None:
    """The country changes in between: the database decides, not the copy that each caller has."""
    organization = factories.organization()
    american = factories.billing_account(organization, country="US")
    japanese = BillingAccount.objects.get(pk=american.pk)
    japanese.country = "JP"
    results = race([partial(accounts.fix_currency, account) for account in (american, japanese)])
    assert results[0] == results[1] == BillingAccount.objects.get(pk=american.pk).currency


@pytest.mark.usefixtures("committed")
def test_a_currency_compared_in_python_would_be_settled_twice() -> None:
    """The control of the test above."""
    organization = factories.organization()
    american = factories.billing_account(organization, country="US")
    both_have_read = Barrier(2)

    def settle(currency: str) -> str:
        if not BillingAccount.objects.get(pk=american.pk).currency:
            both_have_read.wait(timeout=30)
            BillingAccount.objects.filter(pk=american.pk).update(currency=currency)
        return currency

    assert race([partial(settle, "USD"), partial(settle, "JPY")]) == ["USD", "JPY"]


@pytest.mark.parametrize(
    ("country", "currency", "decimals"),
    [("US", "USD", 2), ("JP", "JPY", 0), ("KW", "KWD", 3), ("DE", "EUR", 2), ("IN", "INR", 2), ("AQ", "USD", 2)],
)
def test_a_country_has_its_currency_and_its_decimals(country: str, currency: str, decimals: int) -> None:
    assert (countries.currency_of(country), countries.decimals_of(currency)) == (currency, decimals)


def test_every_country_has_a_currency_that_can_be_charged() -> None:
    assert len(countries.names()) == 249  # the codes that ISO 3166-1 assigns
    for country in countries.names():
        assert len(countries.currency_of(country)) == 3
        assert countries.decimals_of(countries.currency_of(country)) in {0, 2, 3}
