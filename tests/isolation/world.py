"""A tree of organizations with something of everything in each, and a credential of every kind in one of them.

    parent ─┬─ own ─── child ─── grandchild          own ─── child ─── grandchild
            └─ sibling
    foreign                                          foreign

The credentials stand in the middle of the tree, or at its root, which is where money is.

Whatever belongs to an organization has its relation in its name, so that a leak can be seen in any answer.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any
from unittest.mock import patch

from django.db import transaction
from django.utils import timezone

from accounts import access_tokens, authentication, events, invitations, people, scopes, service_accounts, tokens
from accounts.access_tokens import AccessToken
from accounts.credentials import Credential
from accounts.models import Delivery, Export, Invitation, Organization, ServiceAccount, User, WebhookEndpoint
from accounts.webhooks import signing
from apikeys.models import ApiKey
from billing.invoicing import papers
from billing.invoicing.papers import Draft, Line
from billing.ledger import holds, leases, posting
from billing.models import (
    Hold,
    Invoice,
    InvoiceDocument,
    LedgerEntry,
    Meter,
    Payment,
    PaymentMethod,
    Plan,
    Subscription,
)
from tests import factories
from usage import metering
from usage.models import MonthlyUsage

POSITIONS = ("middle", "root")
ROLES = tuple(scopes.BY_ROLE)
UNKNOWN = "unknown"
NOBODYS = {
    "month": "1999-12",
    "organization": "acct_0000000000000000",
    "auth_id": "MA000000000000000000",
    "member": "2147483647",
    "key": "key_0000000000000000",
    "invitation": f"inv_{'0' * 32}",
    "service_account": f"svc_{'0' * 32}",
    "card": f"pm_{'0' * 32}",
    "payment": f"pay_{'0' * 32}",
    "invoice": f"in_{'0' * 32}",
    "subscription": f"sub_{'0' * 32}",
    "hold": f"hold_{'0' * 32}",
    "lease": f"hold_{'0' * 32}",
    "entry": "0",
    "event": "nobodys",
    "endpoint": f"we_{'0' * 32}",
    "delivery": f"dlv_{'0' * 32}",
    "export": f"exp_{'0' * 32}",
}


def marker(relation: str) -> str:
    return f"marker-{relation}"


@dataclass
class World:
    """`credentials` are by role, and `api_key`, `test_key`, `platform_key`, `backend`, `anonymous`.

    All but the last three act for `own`. `backend` is a platform key with all that one can have.
    """

    organizations: dict[str, Organization] = field(default_factory=dict)
    owners: dict[str, User] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    cards: dict[str, PaymentMethod] = field(default_factory=dict)
    invitations: dict[str, Invitation] = field(default_factory=dict)
    service_accounts: dict[str, ServiceAccount] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    leases: dict[str, Hold] = field(default_factory=dict)
    deliveries: dict[str, Delivery] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    ids: dict[str, dict[str, str | None]] = field(default_factory=dict)  # by relation and kind
    answers: dict[tuple[str, str, str], Any] = field(default_factory=dict)  # by route, method and credential

    def id_of(self, kind: str, relation: str) -> str | None:
        """The public id of the organization's object of this kind, None where it has none.

        For `unknown`, an id that nobody has.
        """
        return NOBODYS[kind] if relation == UNKNOWN else self.ids[relation].get(kind)


def build(position: str) -> World:
    above: dict[str, Organization] = {}
    if position == "middle":
        above["parent"] = factories.organization(marker("parent"))
        above["sibling"] = people.add_child(above["parent"], name=marker("sibling"))
        own = people.add_child(above["parent"], name=marker("own"))
    else:
        own = factories.organization(marker("own"))
    child = people.add_child(own, name=marker("child"))
    world = World({"own": own, "child": child, **above, "foreign": factories.organization(marker("foreign"))})
    world.organizations["grandchild"] = people.add_child(child, name=marker("grandchild"))
    for relation, organization in world.organizations.items():
        _furnish(world, relation, organization)
    for relation, organization in world.organizations.items():
        _reserve(world, relation, organization)
    world.ids = {relation: _ids(world, relation) for relation in world.organizations}
    _credentials(world, own)
    return world


def _ids(world: World, relation: str) -> dict[str, str | None]:
    organization, delivery = world.organizations[relation], world.deliveries[relation]
    card = world.cards.get(relation)
    payment = Payment.objects.of(organization).first()
    invoice = Invoice.objects.of(organization).first()
    subscription = Subscription.objects.of(organization).first()
    return {
        "organization": organization.public_id,
        "auth_id": organization.auth_id,
        "member": str(world.owners[relation].pk),
        "key": world.keys[relation].public_id,
        "invitation": world.invitations[relation].public_id,
        "service_account": world.service_accounts[relation].public_id,
        "card": card.public_id if card else None,
        "payment": payment.public_id if payment else None,
        "invoice": invoice.public_id if invoice else None,
        "subscription": subscription.public_id if subscription else None,
        "hold": world.holds[relation].public_id,
        "lease": world.leases[relation].public_id,
        "entry": "1",
        "event": "e",
        "endpoint": delivery.endpoint.public_id,
        "delivery": delivery.public_id,
        "export": Export.objects.get(organization=organization).public_id,
        "": "x",  # a part of the address that names nothing
    }


def _furnish(world: World, relation: str, organization: Organization) -> None:
    """People, a key and usage of it, and where it is a root a billing account, a card and an entry in the ledger."""
    owner = world.owners[relation] = factories.user(marker(relation))
    factories.join(owner, organization, "owner")
    world.invitations[relation] = invitations.invite(
        organization, email=f"{marker(relation)}@example.com", role="viewer", by=credential(owner, organization)
    )
    world.service_accounts[relation] = service_accounts.create(
        organization,
        name=marker(relation),
        role="viewer",
        responsible=owner.pk,
        by=credential(owner, organization),
        now=timezone.now(),
    )
    world.keys[relation], _ = factories.key(organization, created_by=owner, description=marker(relation))
    event = {"id": "e", "key_id": world.keys[relation].public_id, "meter": "requests"}
    event["endpoint"] = f"/{marker(relation)}"
    assert metering.record([event]).count("accepted") == 1
    _freeze(organization)
    past = timezone.now() - timedelta(days=2)
    Export.objects.create(
        organization=organization,
        requested_by=marker(relation),
        total=1,
        created_at=past,
        finished_at=past,
        expires_at=past + timedelta(days=7),
    )
    happened = events.record(organization.pk, "organization.changed", {"where": marker(relation)}, timezone.now())
    endpoint = WebhookEndpoint.objects.create(
        organization=organization,
        url=f"https://0x7f000001/{marker(relation)}",  # a test sends to it, and gets nowhere
        event_types=["*"],
        api_version="v1",
        secret=signing.seal(signing.make_secret()),
    )
    body = marker(relation).encode()
    world.deliveries[relation] = Delivery.objects.create(endpoint=endpoint, event=happened, sequence=1, body=body)
    if organization.is_root:
        account = factories.billing_account(organization)
        account.name = marker(relation)
        account.save()
        world.cards[relation] = factories.card(organization)
        _fail_to_pay(world.cards[relation])
        _bill(organization, marker(relation))
        _had_a_plan(organization)
        kind = LedgerEntry.Kind.GRANT
        posting.post(organization.pk, kind=kind, amount=Decimal(7), description=marker(relation), now=timezone.now())


def _had_a_plan(organization: Organization) -> None:
    """A subscription that has ended."""
    now, plan = timezone.now(), Plan.objects.get(slug="developer")
    period = {"current_period_start": now - timedelta(days=1), "current_period_end": now}
    Subscription.objects.create(organization=organization, plan=plan, status="canceled", **period)


def _fail_to_pay(card: PaymentMethod) -> None:
    """A payment that moved nothing."""
    terms = {"amount": Decimal(5), "currency": "USD", "status": "failed", "failure_code": "card_declined"}
    Payment.objects.create(organization=card.organization, method=card, gateway=card.gateway, **terms)


def _bill(organization: Organization, text: str) -> None:
    """An open invoice with its document."""
    with transaction.atomic():
        now = timezone.now()
        posting.lock([organization.pk], now)
        line = Line(text, "", organization.pk, Decimal(1), Decimal(5), Decimal(5))
        draft = Draft(organization, Invoice.Kind.INVOICE, "USD", now, now, [line])
        paper = papers.issue(draft, now=now)
    InvoiceDocument.objects.create(
        invoice=paper, pdf=text.encode(), sha256=sha256(text.encode()).hexdigest(), xml=text, made_at=now
    )


def _reserve(world: World, relation: str, organization: Organization) -> None:
    """A hold and a lease, of what the root was given."""
    options: dict[str, Any] = {"amount": Decimal("0.01"), "ttl": timedelta(days=1), "reference": marker(relation)}
    world.holds[relation] = holds.place(organization, **options, now=timezone.now())
    world.leases[relation] = leases.take(organization, **options, now=timezone.now())


def _freeze(organization: Organization) -> None:
    """Usage of a closed month. Closing it would let the holds expire."""
    figures = {"requests": 1, "failed": 0, "quantity": 1, "credits": Decimal("0.001")}
    meter, month = Meter.objects.get(slug="requests"), date(2026, 10, 1)
    MonthlyUsage.objects.create(
        account_id=organization.root_id,
        organization=organization,
        month=month,
        occurred_in=month,
        meter=meter,
        **figures,
    )


def _credentials(world: World, own: Organization) -> None:
    with patch.object(AccessToken, "lifetime", timedelta(days=1)):  # on a busy machine the tests take minutes
        world.credentials |= {role: tokens.issue(member(own, role), own).access for role in ROLES}
    owner = member(own, "owner")
    world.credentials["api_key"] = factories.key(own, created_by=owner, permissions=sorted(scopes.BY_ROLE["owner"]))[1]
    test = {"environment": "test", "permissions": sorted(scopes.BY_ROLE["owner"])}
    world.credentials["test_key"] = factories.key(own, created_by=owner, **test)[1]
    world.credentials["platform_key"] = factories.platform_key()
    world.credentials["backend"] = factories.backend_key()
    world.credentials["anonymous"] = ""


def credential(person: User, organization: Organization) -> Credential:
    """What a person's token would prove."""
    return authentication.signed_in(access_tokens.read(tokens.issue(person, organization).access))


def member(organization: Organization, role: str) -> User:
    """A person whose current organization this is, with this role there and none elsewhere but in their own."""
    person = factories.user(role)
    factories.join(person, organization, role)
    people.switch(person, organization)
    return person
