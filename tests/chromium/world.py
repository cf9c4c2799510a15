"""What the pages show: the company that `make run` makes, with the rows that its pages and the admin's still lack."""

import time
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.internal.flows.login import AUTHENTICATION_METHODS_SESSION_KEY as METHODS
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from django.db import transaction
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from accounts import access_tokens, authentication, invitations, people, service_accounts, tokens, visits
from accounts.events import publication
from accounts.models import (
    EmailChange,
    Event,
    Export,
    Invitation,
    Organization,
    Redelivery,
    ServiceAccount,
    User,
    WebhookEndpoint,
)
from accounts.webhooks import outbox, signing
from apikeys import keys
from apikeys.models import ApiKey
from billing.invoicing import papers
from billing.invoicing.papers import Draft, Line
from billing.ledger import posting
from billing.models import Invoice, Payment, PaymentMethod
from billing.payments import payments, purchases, saving_cards
from billing.payments.gateways.sandbox import visits as sandbox_visits
from tests import factories
from usage import demo
from usage.models import MonthClose

METHODS_OF = f"{METHODS}_user"


@dataclass
class World:
    """`names` are what addresses name, by their parameter; `queries` what a page's address needs besides, by its name.

    `sessions` are by who is signed in: a role, or one of those in `routes.SIGNED_IN_AS`.
    """

    payer: Organization
    names: dict[str, str] = field(default_factory=dict)
    queries: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, str] = field(default_factory=dict)
    request: HttpRequest = field(default_factory=HttpRequest)  # of the operator


def make() -> World:
    now = timezone.now()
    made = demo.make(now)
    assert made is not None
    world = World(Organization.objects.get(public_id=made.organization))
    owner = User.objects.get(email=demo.OWNER)
    guarded = _guarded(world.payer)
    _add_service_account(world.payer, owner)
    _add_webhooks(world)
    _add_exports(world.payer, owner)
    _add_papers(world, owner)
    _name(world, guarded)
    _sign_in(world, owner, guarded)
    return world


def _person(payer: Organization, name: str, role: str) -> User:
    user = User(email=f"{name.split()[0].lower()}@example.com", name=name)
    user.set_password(factories.PASSWORD)
    people.register(user)
    factories.join(user, payer, role)
    people.switch(user, payer)
    return user


def _guarded(payer: Organization) -> User:
    """A second owner, with an app, recovery codes and a passkey."""
    user = _person(payer, "Grace Lind", "owner")
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop"})
    return user


def _add_webhooks(world: World) -> None:
    """An endpoint that answers now and then, one that was disabled, and a replay."""
    now = timezone.now()
    chosen = ["api_key.created", "api_key.revoked", "credits.low", "invitation.accepted", "payment.failed"]
    fields = {"organization": world.payer, "api_version": "v1", "secret": signing.seal(signing.make_secret())}
    endpoint = WebhookEndpoint.objects.create(
        **fields, url="https://hooks.example.com/tollgate/production/v1", event_types=chosen, description="Production"
    )
    gone = {"status": "disabled", "disabled_reason": "failing"}
    WebhookEndpoint.objects.create(**fields, url="https://old.example.com/", event_types=["*"], **gone)
    publication.publish_due(outbox.fan_out)
    for number, delivery in enumerate(endpoint.deliveries.order_by("-id")[:3]):
        delivery.status, delivery.attempt_count = ("pending", "failed", "succeeded")[number], number
        delivery.save()
        for attempt in range(number):
            answer = {"status": 503, "answer": "<html><body>Service Unavailable</body></html>"}
            delivery.attempts.create(number=attempt + 1, duration_ms=812, address="203.0.113.7", **answer)
        world.names["delivery"] = delivery.public_id
    Redelivery.objects.create(
        endpoint=endpoint, since=now - timedelta(days=1), until=now, only_failed=True, total=9, done=4, created_at=now
    )
    world.names["endpoint"] = endpoint.public_id


def _add_exports(payer: Organization, owner: User) -> None:
    """One that is ready and one under way, of the company and of its owner."""
    now = timezone.now()
    ready = {"finished_at": now, "expires_at": now + timedelta(days=7), "size": 48_000, "done": 30, "total": 30}
    for whose in ({"organization": payer}, {"user": owner}):
        Export.objects.create(**whose, requested_by=f"user:{owner.pk}", **ready)
        Export.objects.create(**whose, requested_by=f"user:{owner.pk}", done=11, total=30)


@transaction.atomic
def _bill(payer: Organization) -> Invoice:
    """An open invoice."""
    now = timezone.now()
    posting.lock([payer.pk], now)
    line = Line("Messages sent in October", "", payer.pk, Decimal(1200), Decimal("0.01"), Decimal(12))
    return papers.issue(Draft(payer, Invoice.Kind.INVOICE, "USD", now, now, [line]), now=now)


def _add_papers(world: World, owner: User) -> None:
    """An open invoice, a payment that waits for the bank, and a page of the gateway's."""
    payer, by = world.payer, f"user:{owner.pk}"
    world.names["invoice"] = _bill(payer).public_id
    session = saving_cards.begin_setup(payer, return_url="http://localhost/back")
    sandbox_visits.complete(session.id, "pm_card_authenticationRequired")
    card = saving_cards.finish_setup(payer, session.id)
    assert card is not None
    waiting = payments.complete(purchases.begin(payer, amount=Decimal(30), method=card.public_id, by=by).pk)
    assert waiting.status == Payment.Status.ACTION_REQUIRED
    opened = payments.authenticate(waiting, "http://localhost/back")
    world.names["payment"] = waiting.public_id
    world.names["card"] = PaymentMethod.objects.of(payer).filter(is_default=False)[0].public_id
    world.names["billing:sandbox-session id"] = saving_cards.begin_setup(payer, return_url="http://localhost/back").id
    world.names["billing:sandbox-authentication id"] = opened.rstrip("/").rpartition("/")[2]


def _name(world: World, guarded: User) -> None:
    payer = world.payer
    event = Event.objects.within(payer).exclude(data__before=None).order_by("-id").first()
    assert event is not None
    invitation = Invitation.objects.of(payer).open()[0]
    EmailChange.objects.create(
        digest=sha256(b"undo").digest(), user=guarded, old="g@example.com", expires_at=timezone.now() + timedelta(1)
    )
    world.names |= {
        "organization": payer.public_id,
        "node": Organization.objects.within(payer).get(name="Mobile app").public_id,
        "key": ApiKey.objects.of(payer).get(name="Production").public_id,
        "event": event.public_id,
        "account": str(ServiceAccount.objects.of(payer)[0].pk),
        "member": str(User.objects.get(email="admin@example.com").pk),
        "invitation": str(invitation.pk),
        "month": f"{MonthClose.objects.done().filter(account=payer.pk)[0].month:%Y-%m}",
        "seq": "1",
        "mfa_edit_webauthn pk": str(Authenticator.objects.get(type="webauthn").pk),
        "mfa_remove_webauthn pk": str(Authenticator.objects.get(type="webauthn").pk),
        "uidb36": user_pk_to_url_str(guarded),
        "account_reset_password_from_key key": default_token_generator.make_token(guarded),
        "kind": "grant",
        "subject": payer.public_id,
        "app_label": "billing",
    }
    world.queries |= {
        "accept-invitation": f"token={invitations.token_of(invitation)}",
        "undo-email-change": "token=undo",
        "billing:buy": "amount=25",
        "billing:change-plan": "plan=developer&interval=month",
        "admin:search": "q=Example",
    }


def _add_service_account(payer: Organization, owner: User) -> None:
    by = authentication.signed_in(access_tokens.read(tokens.issue(owner, payer).access))
    account = service_accounts.create(
        payer, name="Deployment", role="developer", responsible=owner.pk, by=by, now=timezone.now()
    )
    keys.create(payer, name="Deployment", created_by=account.user, permissions=["deployments:write"])


def _sign_in(world: World, owner: User, guarded: User) -> None:
    """A session for each role and each state in which somebody sees a page."""
    factories.organization("Example")  # the search of the operators finds two
    operator = world.request.user = User.objects.get(email=demo.OPERATOR)
    biller = User.objects.get(email="billing@example.com")
    biller.set_password(factories.PASSWORD)
    biller.save()
    viewer, halfway = _person(world.payer, "Vera Young", "viewer"), factories.user("hugo")
    TOTP.activate(halfway, generate_totp_secret())
    visit = visits.start(world.payer, operator=operator, reason="Ticket 4711: figures", now=timezone.now())
    begun = {"id": str(visit.pk), "email": "new@example.com", "next": ""}
    world.sessions = {
        "owner": _session(owner),
        "viewer": _session(viewer),
        "billing": _session(biller),
        "visitor": _session(operator, visit=str(visit.pk)),
        "operator": _session(operator),
        "guarded": _session(guarded),
        "changing": _session(owner, email_change=begun),
        "signing_up": _session(None, sign_up=begun),
        "halfway": _halfway(halfway),
    }


def _session(user: User | None, **more: Any) -> str:
    """The key of a session in which the person has just shown their password."""
    client = Client()
    if user:
        client.force_login(user)
        shown = {"method": "password", "at": time.time(), "email": user.email, "reauthenticated": True}
        more |= {METHODS: [shown], METHODS_OF: str(user.pk)}
    session = client.session
    session.update(more)
    session.save()
    return str(session.session_key)


def _halfway(user: User) -> str:
    """The session of someone who has typed the password, and is asked for the second factor."""
    client = Client()
    client.post("/accounts/login/", {"login": user.email, "password": factories.PASSWORD})
    return str(client.session.session_key)
