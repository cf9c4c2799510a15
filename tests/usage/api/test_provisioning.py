"""A customer from nothing to metered usage, by the company's backend alone; and what it reads of any organization."""

from decimal import Decimal
from typing import Any

import pytest

from accounts import scopes, tree
from accounts.events import publication
from accounts.models import Event, Organization, User
from accounts.webhooks import outbox
from billing.models import Payment
from tests import factories
from tests.conftest import Api

ACCOUNT = {"name": "Acme Inc.", "email": "billing@acme.example", "address": {"country": "DE"}}
READS = (
    "/auth/account/credits",
    "/auth/account/ledger",
    "/auth/account/usage?from=2026-01-01&to=2027-01-01",
    "/v1/account",
    "/v1/account/details",
    "/v1/usage?from=2026-01-01&to=2027-01-01",
    "/v1/usage/months",
    "/v1/events",
    "/v1/subscriptions",
    "/v1/invoices",
    "/v1/ledger/statement?from=2026-11-01&to=2026-11-02",
    "/v1/credits/grants",
)


def named(path: str, organization: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}organization={organization}"


def walk(backend: Api, gateway: Api) -> str:
    """Returns the id of a customer with everything that the backend provisions."""
    acme: str = backend.post("/v1/organizations", {"name": "Acme", "timezone": "Europe/Berlin"}).json()["id"]
    for path, body, code in (
        ("/v1/account", ACCOUNT, 201),
        ("/v1/subscriptions", {"plan": "developer"}, 201),
        ("/v1/credits/grants", {"amount": 20, "currency": "EUR"}, 201),
    ):
        answer = backend.post(named(path, acme), body)
        assert answer.status_code == code, answer.json()
    assert backend.post(f"/v1/organizations/{acme}/budget", {"monthly_budget": 15}).json()["left"] == 15
    key = backend.post(named("/v1/account/api-keys", acme), {"name": "Production"}).json()
    usage = {"id": "e1", "key_id": key["key_id"], "meter": "sms", "quantity": 100}
    assert gateway.post("/v1/usage/events", usage).json()["accepted"] == 1
    publication.publish_due(outbox.fan_out)
    return acme


def test_a_customer_is_provisioned_and_read(backend: Api, gateway: Api) -> None:
    acme = walk(backend, gateway)
    assert backend.get(named("/v1/account", acme)).json()["currency"] == "EUR"
    assert backend.get(named("/auth/account/credits", acme)).json()["balance"] == 19
    entries = backend.get(named("/auth/account/ledger", acme)).json()["results"]
    assert [(entry["type"], entry["amount"]) for entry in entries] == [("debit", -1), ("credit", 20)]
    usage = backend.get(named("/auth/account/usage", acme)).json()
    assert (usage["total_requests"], usage["credits_consumed"], usage["user_id"]) == (1, 1, None)
    types = {event["type"] for event in backend.get(named("/v1/events?limit=100", acme)).json()["results"]}
    expected = {"organization.created", "billing_account.created", "subscription.created", "credits.granted"}
    assert expected | {"api_key.created", "organization.changed"} <= types
    assert not Event.objects.filter(organization__public_id=acme).exclude(actor__kind="platform_key")


def test_it_reads_what_the_organizations_own_key_reads(backend: Api, gateway: Api, api: Any) -> None:
    acme = Organization.objects.get(public_id=walk(backend, gateway))
    owner = factories.user("ada")
    factories.join(owner, acme, "owner")
    own = api(factories.key(acme, created_by=owner, permissions=sorted(scopes.READS))[1])
    for path in READS:
        theirs, ours = own.get(path), backend.get(named(path, acme.public_id))
        assert (theirs.status_code, ours.status_code) == (200, 200), path
        assert _without_user(ours.json()) == _without_user(theirs.json()), path


def _without_user(body: Any) -> Any:
    """Who asks is in the answer, and the moment of the answer."""
    if isinstance(body, dict):
        return {name: _without_user(value) for name, value in body.items() if name not in ("user_id", "next", "as_of")}
    return [_without_user(each) for each in body] if isinstance(body, list) else body


def test_a_subscription_is_changed_and_ended(backend: Api, funded: Organization) -> None:
    factories.billing_account(funded)
    taken = backend.post(named("/v1/subscriptions", funded.public_id), {"plan": "developer"}).json()
    path = named(f"/v1/subscriptions/{taken['id']}", funded.public_id)
    assert backend.patch(path, {"cancel_at_period_end": True}).json()["cancel_at_period_end"] is True
    bad = backend.patch(path, {"plan": "nothing"})
    assert (bad.status_code, bad.json()["errors"][0]["pointer"]) == (400, "/plan")
    assert backend.patch(path, {"cancel_at_period_end": False}).json()["cancel_at_period_end"] is False
    events = Event.objects.filter(organization=funded, type__startswith="subscription.").order_by("id")
    assert {each.type for each in events.filter(actor__kind="platform_key")} == {each.type for each in events}


def test_a_suspended_organization_takes_no_plan_from_anybody(backend: Api, funded: Organization) -> None:
    factories.billing_account(funded)
    tree.suspend(funded, by=factories.operator())
    answer = backend.post(named("/v1/subscriptions", funded.public_id), {"plan": "developer"})
    assert (answer.status_code, answer.json()["code"]) == (403, "organization_suspended")


def test_a_card_is_charged_for_the_organization_that_is_named(backend: Api, organization: Organization) -> None:
    factories.card(organization)
    body = {"amount": "12.5"}
    bought = backend.post(named("/v1/credits/purchases", organization.public_id), body, idempotency_key="order-7")
    again = backend.post(named("/v1/credits/purchases", organization.public_id), body, idempotency_key="order-7")
    assert (bought.status_code, again.json()["id"]) == (201, bought.json()["id"])
    assert Payment.objects.get().organization == organization
    assert backend.get(named("/auth/account/credits", organization.public_id)).json()["balance"] == Decimal("12.5")


def test_a_gateways_key_neither_charges_cards_nor_reads_a_ledger(gateway: Api, organization: Organization) -> None:
    factories.card(organization)
    for answer in (
        gateway.post(named("/v1/credits/purchases", organization.public_id), {"amount": 5}),
        gateway.get(named("/auth/account/ledger", organization.public_id)),
        gateway.patch(f"/v1/organizations/{organization.public_id}", {"name": "Mine"}),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope")
    assert not Payment.objects.exists()


def test_a_child_pays_nothing_itself(backend: Api, organization: Organization) -> None:
    child = backend.post(named("/v1/organizations", organization.public_id), {"name": "Europe"}).json()["id"]
    for path in ("/auth/account/credits", "/auth/account/ledger", "/v1/account"):
        answer = backend.get(named(path, child))
        assert (answer.status_code, answer.json()["code"]) == (403, "billed_by_parent")
    assert backend.get(named("/auth/account/usage", child)).json()["total_requests"] == 0


@pytest.mark.parametrize("path", ["/v1/webhook-endpoints", "/v1/events"])
def test_what_the_company_has_of_its_own_is_not_the_organizations(
    backend: Api, organization: Organization, alice: User, api: Any, path: str
) -> None:
    endpoint = {"url": "https://example.com/hook", "event_types": ["*"]}
    theirs = backend.post(named("/v1/webhook-endpoints", organization.public_id), endpoint).json()["id"]
    ours = backend.post("/v1/webhook-endpoints", endpoint).json()["id"]
    publication.publish_due(outbox.fan_out)
    seen, own = (
        client.get(place).content.decode()
        for client, place in ((backend, named(path, organization.public_id)), (backend, path))
    )
    assert (theirs in seen, ours in seen) == (True, False)
    assert (theirs in own, ours in own) == (False, True)
    assert theirs in api(alice).get(path).content.decode()
