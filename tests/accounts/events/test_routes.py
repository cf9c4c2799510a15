"""Every route of the API that changes something records an event. The routes are those of the URL configuration."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from jsonschema import Draft202012Validator

from accounts import email_codes, events, invitations, people, tokens, tree
from accounts.events.actors import KINDS
from accounts.models import Event, Organization
from accounts.webhooks import endpoints
from billing.invoicing import subscriptions
from billing.ledger import holds
from billing.models import InvoiceState, LedgerAccount, LedgerEntry, Subscription
from tests import factories
from tests.config.upgrades import databases
from tests.conftest import Api
from tests.isolation.routes import ROUTES, Route, discovered
from tests.isolation.test_isolation import api, path_of
from tests.isolation.world import World, build

MUTATING = ("post", "put", "patch", "delete")

HOT = "it is called for every request of a customer's; its row and the ledger's entry are the record"
NOTHING = "it changes nothing of ours"
EXCEPTIONS = {
    ("v1/keys/verify", "post"): HOT,
    ("v1/keys/verify/batch", "post"): HOT,
    ("v1/gate/authorize", "post"): HOT,
    ("v1/gate/authorize/{path}", "post"): HOT,
    ("v1/usage/events", "post"): HOT,
    ("api/v1/events", "post"): HOT,
    ("v1/credits/holds", "post"): HOT,
    ("v1/credits/holds/{id}/capture", "post"): HOT,
    ("v1/credits/holds/{id}/release", "post"): HOT,
    ("v1/credits/leases", "post"): HOT,
    ("v1/credits/leases/{id}/extend", "post"): HOT,
    ("v1/credits/leases/{id}/return", "post"): HOT,
    ("v1/auth/token/refresh", "post"): "a program does it every five minutes, and its sign-in stays the same",
    ("v1/payment-methods/setup", "post"): "nothing is saved until the card is: then it is payment_method.added",
    ("v1/webhook-endpoints/{id}/test", "post"): NOTHING,
    ("v1/subscriptions/clearance", "post"): NOTHING,
    ("v1/overview/checklist", "patch"): "it hides something from the caller alone",
}


@dataclass(frozen=True)
class Case:
    """A call that succeeds and changes something, where the entry of the isolation tests may not.

    `before` prepares it. `client`, `body` and `path` may be functions of the world.
    """

    body: Any = None
    before: Callable[[World], Any] = lambda world: None
    client: Callable[[World], Api] | None = None
    path: Callable[[World], str] | None = None
    relation: str = "own"


def own(world: World) -> Organization:
    return world.organizations["own"]


def person(world: World) -> Api:
    """The owner, by an access token."""
    people.switch(world.owners["own"], own(world))
    return Api(tokens.issue(world.owners["own"], own(world)).access)


def refresh_token(world: World) -> dict[str, str]:
    return {"refresh": tokens.issue(world.owners["own"], own(world)).refresh}


def invited(world: World) -> Api:
    """The owner of another organization, who is invited."""
    invitee = world.owners["foreign"]
    return Api(tokens.issue(invitee, invitee.current_organization).access)


def invitation_token(world: World) -> dict[str, str]:
    invitee = world.owners["foreign"]
    invitation = factories.invitation(own(world), invitee.email, by=world.owners["own"])
    return {"token": invitations.token_of(invitation)}


def settle(world: World) -> None:
    paid = {"status": "paid", "paid_at": timezone.now(), "next_attempt_at": None}
    InvoiceState.objects.filter(invoice__organization=world.organizations["own"]).update(**paid)
    LedgerAccount.objects.filter(pk=own(world).pk).update(balance=0, reserved=0)
    states = InvoiceState.objects.filter(invoice__organization=own(world), status__in=InvoiceState.OWED)
    states.update(status="paid", paid_at=timezone.now())


def granted(world: World) -> str:
    entry = LedgerEntry.objects.filter(account=own(world).pk, kind="grant").latest("seq")
    return f"/v1/ledger/{entry.seq}/reverse"


def purchased(world: World) -> str:
    answer = person(world).post("/v1/credits/purchases", {"amount": 5})
    return f"/v1/payments/{answer.json()['id']}/refunds"


def unpaid(world: World) -> str:
    answer = person(world).post("/v1/credits/purchases", {"amount": 5, "checkout": True})
    return f"/v1/payments/{answer.json()['id']}/cancel"


def subscribed(world: World) -> str:
    return f"/v1/subscriptions/{subscriptions.subscribe(own(world), 'developer', now=timezone.now()).public_id}"


def past_due(world: World) -> str:
    path, now = subscribed(world), timezone.now()
    ended = {"current_period_start": now - timedelta(days=1), "current_period_end": now}
    Subscription.objects.of(own(world)).live().update(status="past_due", past_due_at=now, **ended)
    return f"{path}/retry"


def sign_in(world: World) -> str:
    """The one that lists them."""
    [current] = [row for row in person(world).get("/v1/me/sessions").json()["results"] if row["is_current"]]
    return f"/v1/me/sessions/{current['id']}"


def release(world: World) -> None:
    for hold in (world.holds["grandchild"], world.leases["grandchild"]):
        holds.release(hold, now=timezone.now())


def sign_up_code(world: World) -> dict[str, str]:
    data = {"name": "", "timezone": "UTC", "password": "!", "organization_name": "", "invitation": ""}
    _, code = email_codes.issue("sign_up", SIGN_UP["email"], data, network="", now=timezone.now())
    return {"email": SIGN_UP["email"], "code": code}


SIGN_UP = {"email": "new@example.com", "password": factories.PASSWORD}
BILLED = {"name": "B", "email": "b@example.com", "address": {"country": "US"}}

CASES: dict[tuple[str, str], Case] = {
    ("v1/account", "post"): Case(before=lambda world: own(world).billing_account.delete()),
    ("v1/account", "put"): Case(BILLED),
    ("v1/account", "patch"): Case({"name": "B"}),
    ("v1/account", "delete"): Case(before=settle),
    ("v1/account/security", "patch"): Case({"allowed_email_domains": ["example.com"]}),
    ("v1/auth/signup", "post"): Case(SIGN_UP, client=lambda world: Api()),
    ("v1/auth/verify", "post"): Case(sign_up_code, client=lambda world: Api()),
    ("v1/auth/token", "post"): Case(
        lambda world: {"email": world.owners["own"].email, "password": factories.PASSWORD}, client=lambda world: Api()
    ),
    ("v1/auth/token/revoke", "post"): Case(refresh_token, client=lambda world: Api()),
    ("v1/auth/switch", "post"): Case(
        lambda world: {"organization": world.organizations["child"].public_id}, client=person
    ),
    ("v1/invitations/accept", "post"): Case(invitation_token, client=invited),
    ("v1/ledger/{id}/reverse", "post"): Case(path=granted),
    ("v1/me/exports", "post"): Case(client=person),
    ("v1/me/sessions/end-others", "post"): Case(before=refresh_token, client=person),
    ("v1/me/sessions/{id}", "delete"): Case(client=person, path=sign_in),
    ("v1/organizations/{id}/close", "post"): Case(before=release, client=person, relation="grandchild"),
    ("v1/organizations/{id}/move", "post"): Case(relation="grandchild"),
    ("v1/organizations/{id}/suspend", "post"): Case(relation="child"),
    ("v1/organizations/{id}/resume", "post"): Case(
        before=lambda world: tree.suspend(world.organizations["child"], by=factories.operator()), relation="child"
    ),
    ("v1/payment-methods/{id}", "patch"): Case(
        before=lambda world: own(world).payment_methods.update(is_default=False)
    ),
    ("v1/payments/{id}/cancel", "post"): Case(path=unpaid),
    ("v1/payments/{id}/refunds", "post"): Case(path=purchased),
    ("v1/subscriptions/{id}", "patch"): Case(path=subscribed),
    ("v1/subscriptions/{id}/retry", "post"): Case(path=past_due),
    ("v1/webhook-endpoints/{id}/enable", "post"): Case(
        before=lambda world: endpoints.disable(world.deliveries["own"].endpoint)
    ),
    ("v1/Account/{auth_id}/Subaccount/{subauth_id}/*", "post"): Case(relation="child"),
    ("v1/Account/{auth_id}/Subaccount/{subauth_id}/*", "delete"): Case(relation="child"),
}


@pytest.fixture(scope="module")
def _world(second_database: str, django_db_blocker: Any) -> World:
    with django_db_blocker.unblock(), databases.connected(second_database):
        return build("root")


@pytest.fixture
def world(_world: World, committed: None) -> Iterator[World]:
    """Every test's effect is undone."""
    with transaction.atomic():
        yield _world
        transaction.set_rollback(True)


def mutating() -> list[tuple[str, str]]:
    return [
        (route, method) for route, methods in sorted(discovered().items()) for method in MUTATING if method in methods
    ]


def test_the_exceptions_are_routes() -> None:
    assert EXCEPTIONS.keys() <= set(mutating())


def key_of(world: World, entry: Route, method: str) -> Api:
    credential = "platform_key" if entry.is_for_company(method) else "api_key"
    return api(world, credential, basic=entry.who == "basic")


@pytest.mark.parametrize(("route", "method"), [call for call in mutating() if call not in EXCEPTIONS])
def test_a_route_that_changes_something_records_it(world: World, route: str, method: str) -> None:
    entry, case = ROUTES[route], CASES.get((route, method), Case())
    client = case.client(world) if case.client else key_of(world, entry, method)
    body = entry.bodies.get(method) if case.body is None else case.body
    body = body(world) if callable(body) else body
    path = case.path(world) if case.path else path_of(world, route, case.relation)
    case.before(world)
    known = set(Event.objects.values_list("pk", flat=True))
    answer = getattr(client, method)(path, body, user_agent="test/1")
    assert answer.status_code < 300, answer.content
    made = list(Event.objects.exclude(pk__in=known).select_related("personal_data"))
    assert made
    for event in made:
        check(event)


def check(event: Event) -> None:
    """It fits its schema, says who did it by which request to what, and names nobody."""
    schema = {**events.TYPES[event.type].schema, "additionalProperties": False}
    Draft202012Validator(schema).validate(json.loads(json.dumps(event.data, default=float)))
    assert event.targets
    assert event.actor is not None
    assert event.actor["kind"] in KINDS
    assert event.context is not None
    assert event.context["request_id"]
    assert event.personal_data.members.items() >= {"address": "127.0.0.1", "user_agent": "test/1"}.items()
    written = json.dumps([event.data, event.actor, event.targets, event.context], default=float)
    assert "@" not in written
    assert "marker" not in written  # names and descriptions have it
