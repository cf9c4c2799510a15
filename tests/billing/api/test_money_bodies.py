"""A body that moves or limits money is read to its last member: nothing in it is ignored."""

from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from accounts import tokens
from accounts.models import Organization, User
from billing.models import LedgerAccount, LedgerEntry, Payment, PaymentMethod, Subscription
from tests import factories
from tests.billing.api.reservations import HOLDS, LEASES, place, take
from tests.conftest import Api


class Route(NamedTuple):
    verb: str
    path: str
    body: dict[str, Any]
    by_platform: bool = False


ROUTES = {
    "purchase": Route("post", "/v1/credits/purchases", {"amount": 5}),
    "hold": Route("post", HOLDS, {"amount": 5}),
    "capture": Route("post", HOLDS + "/{hold}/capture", {"amount": 5}),
    "lease": Route("post", LEASES, {"organization": "{organization}", "amount": 5}, by_platform=True),
    "extension": Route("post", LEASES + "/{lease}/extend", {"amount": 5}, by_platform=True),
    "grant": Route("post", "/v1/credits/grants", {"organization": "{organization}", "amount": 5}, by_platform=True),
    "adjustment": Route(
        "post",
        "/v1/credits/adjustments",
        {"organization": "{organization}", "amount": 5, "reason": "Sorry"},
        by_platform=True,
    ),
    "reversal": Route(
        "post", "/v1/ledger/1/reverse", {"organization": "{organization}", "reason": "Sorry"}, by_platform=True
    ),
    "budget": Route("post", "/v1/organizations/{organization}/budget", {"monthly_budget": 5}),
    "alerts": Route("put", "/v1/credits/alerts", {"low_balance": 5}),
    "subscription": Route("post", "/v1/subscriptions", {"plan": "developer"}),
}


@pytest.fixture(scope="module")
def alice(module_transaction: None) -> User:
    return factories.user("alice")


@pytest.fixture(scope="module")
def gateway(module_transaction: None) -> Api:
    return Api(factories.platform_key())


@pytest.fixture(scope="module")
def funded(alice: User) -> Organization:
    """Alice's organization, billed in US dollars."""
    assert alice.current_organization
    factories.credit(alice.current_organization, 100)
    factories.card(alice.current_organization)
    return alice.current_organization


@pytest.fixture(scope="module")
def names(funded: Organization, alice: User, gateway: Api) -> dict[str, str]:
    """It has a hold and a lease of 10 each."""
    hold = place(Api(tokens.issue(alice, funded).access)).json()["id"]
    lease = take(gateway, funded).json()["id"]
    return {"organization": funded.public_id, "hold": hold, "lease": lease}


@pytest.fixture(params=ROUTES)
def send(request: Any, names: dict[str, str], api: Any, alice: User, gateway: Api, db: None) -> Any:
    """Sends the route's body with more members."""
    route = ROUTES[request.param]
    client = gateway if route.by_platform else api(alice)
    texts = {name: text.format(**names) if isinstance(text, str) else text for name, text in route.body.items()}
    return lambda **more: getattr(client, route.verb)(route.path.format(**names), {**texts, **more})


def state(organization: Organization) -> Any:
    """Whatever the routes could have changed."""
    account = LedgerAccount.objects.get(pk=organization.pk)
    organization.refresh_from_db()
    counts = [rows.objects.of(organization).count() for rows in (LedgerEntry, Payment, Subscription)]
    return account.balance, account.reserved, account.low_balance, organization.monthly_budget, counts


def test_an_unknown_member_is_named_and_nothing_moves(send: Any, funded: Organization) -> None:
    before = state(funded)
    for member in ("amout", "Amount", "", "id", "payment-method"):
        answer = send(**{member: 1})
        error = {"pointer": f"/{member}", "detail": "Unknown member."}
        assert (answer.status_code, answer.json()["errors"]) == (400, [error])
        assert state(funded) == before, member


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("payment-methods", {"gateway_token": "pm_card_visa"}),
        ("payment-methods/setup", {}),
        ("sandbox/clock", {"now": "2027-01-01T00:00:00Z"}),
    ],
)
def test_so_is_one_about_cards_and_the_clock(funded: Organization, api: Any, alice: User, path: str, body: Any) -> None:
    cards = PaymentMethod.objects.of(funded).count()
    answer = api(alice).post(f"/v1/{path}", {**body, "amout": 1})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, "/amout")
    funded.refresh_from_db()
    assert (funded.clock_ahead, PaymentMethod.objects.of(funded).count()) == (None, cards)


def test_a_currency_that_is_not_the_accounts_is_refused(send: Any, funded: Organization) -> None:
    before = state(funded)
    for currency in ("EUR", "usd", "XXX", "US"):
        answer = send(currency=currency)
        error = {"pointer": "/currency", "detail": "The account's currency is USD."}
        assert (answer.status_code, answer.json()["errors"]) == (400, [error]), currency
        assert state(funded) == before, currency


def test_the_accounts_own_currency_may_be_named(send: Any) -> None:
    assert send(currency="USD").status_code in (200, 201)


def test_without_an_account_there_is_no_currency_to_name(gateway: Api, charlie: User) -> None:
    organization = charlie.current_organization
    assert organization
    body = {"organization": organization.public_id, "amount": 5, "currency": "USD"}
    answer = gateway.post("/v1/credits/grants", body)
    assert (answer.status_code, answer.json()["errors"][0]["detail"]) == (400, "The account has no currency yet.")


def test_a_childs_currency_is_its_roots(gateway: Api, charlie: User) -> None:
    root = charlie.current_organization
    assert root
    factories.billing_account(root, country="JP")
    factories.credit(root, 100)
    child = Organization.objects.create_child(root, name="Child")
    assert take(gateway, child, currency="USD").status_code == 400
    assert take(gateway, child, currency="JPY").status_code == 201
    assert LedgerAccount.objects.get(pk=root.pk).reserved == Decimal(10)


NUMBERS = {"budget": "monthly_budget", "alerts": "low_balance"}
ROUTES_WITH_NUMBERS = [name for name, route in ROUTES.items() if {"amount", *NUMBERS.values()} & route.body.keys()]


@pytest.mark.parametrize("send", ROUTES_WITH_NUMBERS, indirect=True)
def test_a_text_that_is_no_plain_decimal_is_no_number_and_no_null(
    send: Any, funded: Organization, request: Any
) -> None:
    name = NUMBERS.get(request.node.callspec.params["send"], "amount")
    before = state(funded)
    for text in ("", " ", "1e3", "+5", "0x5", "5,0", "٥"):
        answer = send(**{name: text})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, f"/{name}"), text
        assert state(funded) == before, text
