"""The people of the demo, the tree of their organizations, and their keys."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts import accepting, invitations, people, scopes, tree
from accounts.credentials import Credential, Kind
from accounts.models import Invitation, Membership, Organization, User
from apikeys import keys
from apikeys.models import ApiKey, ApiKeySecret
from billing import accounts
from billing.models import LedgerAccount

COMPANY = "Example Corp"
# Each child, and its parent.
CHILDREN = {"Website": COMPANY, "Help centre": "Website", "Mobile app": COMPANY, "Research": COMPANY}
BUDGETS = {"Research": Decimal(8), "Mobile app": Decimal(40)}
PEOPLE = (
    ("Amira Haddad", "admin@example.com", COMPANY, Membership.Role.ADMIN),
    ("Ben Okoye", "billing@example.com", COMPANY, Membership.Role.BILLING),
    ("Chloe Martin", "developer@example.com", "Mobile app", Membership.Role.DEVELOPER),
    ("Deniz Kaya", "viewer@example.com", "Research", Membership.Role.VIEWER),
)
INVITED = "new.colleague@example.com"
# Each key, whose it is, and its other fields.
KEYS: dict[str, tuple[str, dict[str, Any]]] = {
    "Production": (COMPANY, {"permissions": ["messaging:send", "usage:read", "credits:read"]}),
    "Staging": (COMPANY, {"permissions": ["messaging:send"], "environment": "test"}),
    "Backups": (COMPANY, {"permissions": ["usage:read"], "allowed_cidrs": ["203.0.113.0/24"]}),
    "Web frontend": ("Website", {"permissions": ["messaging:send"], "rate_limit": 100, "rate_limit_window_seconds": 1}),
    "Search box": ("Help centre", {"permissions": ["search:read"]}),
    "iOS app": ("Mobile app", {"permissions": ["messaging:send", "voice:call"], "monthly_budget": Decimal(20)}),
    "Android app": ("Mobile app", {"permissions": ["messaging:send", "voice:call"], "monthly_budget": Decimal(20)}),
    "Notebooks": ("Research", {"permissions": ["embeddings:create"], "monthly_budget": Decimal(10)}),
}
EXPIRING, DISABLED, ROTATED = "Backups", "Search box", "Web frontend"


@dataclass(frozen=True)
class Cast:
    """`secret` is that of the key Production."""

    payer: Organization
    owner: User
    keys: dict[str, ApiKey]
    secret: str


@transaction.atomic
def make(email: str, password: str, start: datetime) -> Cast:
    """The company as it began at `start`."""
    owner = User(email=email, name="Robin Fields", created_at=start)
    owner.set_password(password)
    payer = people.sign_up(owner, organization_name=COMPANY)
    nodes = {COMPANY: payer}
    for name, parent in CHILDREN.items():
        nodes[name] = people.add_child(nodes[parent], name=name)
    Organization.objects.within(payer).update(created_at=start)
    accounts.create(payer, name="Example Corp, Inc.", email=email, country="US")
    LedgerAccount.objects.of(payer).update(updated_at=start)
    by = _credential(payer, owner)
    for name, address, node, role in PEOPLE:
        _join(nodes[node], name, address, role, by, start)
    invitations.invite(payer, email=INVITED, role=Membership.Role.VIEWER, by=by)
    for name, budget in BUDGETS.items():
        tree.change(nodes[name], {"monthly_budget": budget})
    made = {
        name: keys.create(nodes[node], name=name, created_by=owner, **fields) for name, (node, fields) in KEYS.items()
    }
    ApiKey.objects.within(payer).update(created_at=start)
    ApiKeySecret.objects.filter(key__organization__root=payer).update(created_at=start)
    Membership.objects.filter(organization__root=payer).update(created_at=start)
    payer.refresh_from_db()
    return Cast(payer, owner, {name: key for name, (key, _) in made.items()}, made["Production"][1])


def change_keys(cast: Cast, now: datetime) -> None:
    """Makes a disabled, an expiring, a rotated and a revoked key."""
    keys.update(cast.keys[DISABLED], {"enabled": False})
    keys.update(cast.keys[EXPIRING], {"expires_at": now + timedelta(days=9)})
    keys.rotate(cast.keys[ROTATED], timedelta(days=2))
    retired, _ = keys.create(cast.payer, name="Old gateway", created_by=cast.owner)
    keys.revoke(retired)


def _credential(organization: Organization, person: User) -> Credential:
    held = scopes.of_roles(organization.roles_of(person))
    return Credential(Kind.SESSION, f"user:{person.pk}", person, organization, "UTC", cap=held, held=held)


def _join(node: Organization, name: str, email: str, role: str, by: Credential, start: datetime) -> None:
    """Invite a person and accept. They have no password, so only the owner can sign in."""
    person = User(email=email, name=name, created_at=start)
    person.set_unusable_password()
    people.register(person)
    invitation = invitations.invite(node, email=email, role=role, by=by)
    accepting.accept(invitations.token_of(invitation), user=person)
    people.switch(person, node)
    Invitation.objects.filter(pk=invitation.pk).update(created_at=start)
