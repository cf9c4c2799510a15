"""A tree of organizations with something of everything in each, and a credential of every kind in one of them.

    parent ─┬─ own ─── child ─── grandchild          own ─── child ─── grandchild
            └─ sibling
    foreign                                          foreign

The credentials stand in the middle of the tree, or at its root, which is where money is.

Whatever belongs to an organization has its relation in its name, so that a leak can be seen in any answer.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from accounts import people, scopes, tokens
from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing import ledger
from billing.models import LedgerEntry
from tests import factories
from usage import metering

POSITIONS = ("middle", "root")
ROLES = tuple(scopes.BY_ROLE)
UNKNOWN = "unknown"


def marker(relation: str) -> str:
    return f"marker-{relation}"


@dataclass
class World:
    """`credentials` are by role, and `api_key`, `platform_key`, `anonymous`; all but the last two act for `own`."""

    organizations: dict[str, Organization] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)

    def id_of(self, kind: str, relation: str) -> str:
        """The public id of the organization's object of this kind; for `unknown`, one that nobody has."""
        if relation == UNKNOWN:
            return {"organization": "acct_0000000000000000", "key": "key_0000000000000000"}[kind]
        owner = self.organizations[relation]
        return {"organization": owner.public_id, "key": self.keys[relation].public_id}[kind]


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
    _credentials(world, own)
    return world


def _furnish(world: World, relation: str, organization: Organization) -> None:
    """A key, usage of it, and where it is a root a billing account, a card and an entry in the ledger."""
    owner = factories.user(marker(relation))
    factories.join(owner, organization, "owner")
    world.keys[relation], _ = factories.key(organization, created_by=owner, description=marker(relation))
    event = {"id": "e", "key_id": world.keys[relation].public_id, "meter": "requests"}
    event["endpoint"] = f"/{marker(relation)}"
    assert metering.record([event]).count("accepted") == 1
    if organization.is_root:
        account = factories.billing_account(organization)
        account.name = marker(relation)
        account.save()
        factories.card(organization)
        kind = LedgerEntry.Kind.GRANT
        ledger.post(organization.pk, kind=kind, amount=Decimal(7), description=marker(relation))


def _credentials(world: World, own: Organization) -> None:
    for role in ROLES:
        world.credentials[role] = tokens.issue(member(own, role), own).access
    owner = member(own, "owner")
    world.credentials["api_key"] = factories.key(own, created_by=owner, permissions=sorted(scopes.BY_ROLE["owner"]))[1]
    world.credentials["platform_key"] = factories.platform_key()
    world.credentials["anonymous"] = ""


def member(organization: Organization, role: str) -> User:
    """A person whose current organization this is, with this role there and none elsewhere but in their own."""
    person = factories.user(role)
    factories.join(person, organization, role)
    people.switch(person, organization)
    return person
