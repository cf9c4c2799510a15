"""The official, unmodified Plivo client for Python against a live server."""

from collections.abc import Iterator
from typing import Any

import plivo
import pytest
from plivo import exceptions

from accounts.models import Organization
from billing.models import BillingAccount
from tests import factories
from tests.billing.api import plivo_server
from tests.billing.api.plivo_server import Customer


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with plivo_server.running() as address:
        yield address


@pytest.fixture
def customer(committed: None) -> Customer:
    return plivo_server.customer()


@pytest.fixture
def connect(address: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client for an auth_id and an auth_token."""
    monkeypatch.setattr("plivo.rest.client.PLIVO_API_BASE_URI", f"{address}/v1/Account")

    def client(auth_id: str, auth_token: str) -> Any:
        return plivo.RestClient(auth_id, auth_token)

    return client


@pytest.fixture
def client(connect: Any, customer: Customer) -> Any:
    return connect(customer.auth_id, customer.token)


def test_the_account_is_read(client: Any, customer: Customer) -> None:
    account = client.account.get()
    assert (account.auth_id, account.id, account.name) == (customer.auth_id, customer.auth_id, "Acme Inc.")
    assert (account.account_type, account.billing_mode, account.cash_credits) == ("developer", "prepaid", "0.00000")


def test_the_account_is_updated_and_the_rest_is_left(client: Any, customer: Customer) -> None:
    """The client sends null for parameters that were not given."""
    assert client.account.update(name="Lucius Fox", city="New York", address="Times Square").message == "changed"
    assert client.account.update(city="Gotham").message == "changed"
    stored = BillingAccount.objects.of(customer.organization).get()
    assert (stored.name, stored.city, stored.line1) == ("Lucius Fox", "Gotham", "Times Square")


def test_a_subaccount_is_made_and_its_token_works(client: Any, connect: Any) -> None:
    made = client.subaccounts.create("Robin", True)
    assert made.message == "created"
    own = connect(made.auth_id, made.auth_token).account.get()
    assert (own.auth_id, own.name, own.cash_credits) == (made.auth_id, "Robin", "0.00000")


def test_a_subaccount_is_disabled_unless_said_otherwise(client: Any, connect: Any) -> None:
    made = client.subaccounts.create("Robin")
    assert client.subaccounts.get(made.auth_id).enabled is False
    with pytest.raises(exceptions.AuthenticationError):
        connect(made.auth_id, made.auth_token).account.get()


def test_a_subaccount_is_read_with_its_token_masked(client: Any, customer: Customer) -> None:
    made = client.subaccounts.create("Robin", True)
    subaccount = client.subaccounts.get(made.auth_id)
    assert (subaccount.id, subaccount.name, subaccount.enabled) == (made.auth_id, "Robin", True)
    assert subaccount.account == f"/v1/Account/{customer.auth_id}/"
    assert subaccount.auth_token != made.auth_token


def test_a_subaccount_is_updated(client: Any) -> None:
    made = client.subaccounts.create("Robin", True)
    assert client.subaccounts.update(made.auth_id, "Nightwing", True).message == "changed"
    assert client.subaccounts.get(made.auth_id).name == "Nightwing"


def test_the_object_that_was_read_updates_and_deletes_itself(client: Any) -> None:
    subaccount = client.subaccounts.get(client.subaccounts.create("Robin", True).auth_id)
    assert subaccount.update("Nightwing", True).message == "changed"
    subaccount.delete(cascade=True)
    with pytest.raises(exceptions.ResourceNotFoundError):
        client.subaccounts.get(subaccount.id)


def test_a_deleted_subaccount_is_closed_and_its_token_is_refused(client: Any, connect: Any) -> None:
    made = client.subaccounts.create("Robin", True)
    client.subaccounts.delete(made.auth_id)
    assert Organization.objects.get(auth_id=made.auth_id).status == "closed"
    with pytest.raises(exceptions.AuthenticationError):
        connect(made.auth_id, made.auth_token).account.get()


def test_the_list_has_pages_newest_first(client: Any) -> None:
    made = [client.subaccounts.create(f"Robin {n}").auth_id for n in range(5)]
    page = client.subaccounts.list(limit=2, offset=1)
    assert [subaccount.auth_id for subaccount in page] == made[3:1:-1]
    assert (page.meta.limit, page.meta.offset, page.meta.total_count) == (2, 1, 5)
    assert page.meta.next.endswith("/Subaccount/?limit=2&offset=3")


def test_the_client_walks_all_pages(client: Any) -> None:
    made = [client.subaccounts.create(f"Robin {n}").auth_id for n in range(22)]
    assert [subaccount.auth_id for subaccount in client.subaccounts] == made[::-1]


def test_a_token_that_is_none_is_an_authentication_error(connect: Any, customer: Customer) -> None:
    stranger = connect(customer.auth_id, "sk_live_" + "0" * 38)
    calls = [stranger.account.get, stranger.subaccounts.list, lambda: stranger.subaccounts.create("Robin")]
    for call in calls:
        with pytest.raises(exceptions.AuthenticationError):
            call()


def test_an_unknown_subaccount_is_not_found(client: Any) -> None:
    unknown = "SA" + "0" * 18
    for call in (
        client.subaccounts.get,
        client.subaccounts.delete,
        lambda subaccount: client.subaccounts.update(subaccount, "Robin"),
    ):
        with pytest.raises(exceptions.ResourceNotFoundError):
            call(unknown)


def test_input_that_is_too_long_is_a_validation_error(client: Any, customer: Customer) -> None:
    with pytest.raises(exceptions.ValidationError, match="name"):
        client.account.update(name="x" * 101)
    assert BillingAccount.objects.of(customer.organization).get().name == "Acme Inc."


def test_a_key_that_may_only_read_is_forbidden_to_write(connect: Any, customer: Customer) -> None:
    _, token = factories.key(customer.organization, created_by=customer.owner, permissions=["account:read"])
    with pytest.raises(exceptions.ForbiddenError, match="account:write"):
        connect(customer.auth_id, token).subaccounts.create("Robin")
    assert not customer.organization.children.exists()
