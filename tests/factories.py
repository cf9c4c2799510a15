"""Makes test data by calling the product's own functions. Names are unique, because some tests leave rows behind."""

from decimal import Decimal
from itertools import count
from uuid import uuid4

from django.utils import timezone

from accounts import invitations, people, scopes, tree
from accounts.credentials import Credential, Kind
from accounts.models import Invitation, Membership, Organization, User
from apikeys import keys
from apikeys.models import ApiKey
from billing import accounts, organizations
from billing.ledger import balances, posting
from billing.models import BillingAccount, LedgerEntry, PaymentMethod
from billing.payments import saving_cards
from billing.payments.gateways.sandbox import visits

PASSWORD = "correct horse battery"
_numbers = count(1)


def unique(name: str) -> str:
    return f"{name}-{next(_numbers)}-{uuid4().hex[:8]}"


def user(name: str = "someone", *, timezone: str = "UTC") -> User:
    """A person with their own default organization."""
    made = User(email=f"{unique(name)}@example.com", name=name.title(), timezone=timezone)
    made.set_password(PASSWORD)
    people.register(made)
    own = Organization.objects.create_root(name=made.name, timezone=timezone)
    join(made, own, Membership.Role.OWNER)
    people.switch(made, own)
    return made


def organization(name: str = "acme", *, owner: User | None = None) -> Organization:
    """A root organization that `owner` owns."""
    made = Organization.objects.create_root(name=unique(name))
    if owner:
        join(owner, made, Membership.Role.OWNER)
    return made


def join(person: User, organization: Organization, role: str) -> Membership:
    return Membership.objects.create(user=person, organization=organization, role=role)


def invitation(organization: Organization, email: str, role: str = "developer", *, by: User) -> Invitation:
    return invitations.invite(organization, email=email, role=role, by=_credential(organization, by))


def invitation_again(invitation: Invitation, *, by: User) -> Invitation:
    return invitations.resend(invitation, by=_credential(invitation.organization, by))


def _credential(organization: Organization, person: User) -> Credential:
    """A credential of the person, with the permissions of their roles in the organization."""
    held = scopes.of_roles(organization.roles_of(person))
    return Credential(Kind.TOKEN, f"user:{person.pk}", person, organization, "UTC", cap=held, held=held)


def key(organization: Organization, *, created_by: User | None = None, **fields: object) -> tuple[ApiKey, str]:
    return keys.create(organization, name="Test key", created_by=created_by, **fields)  # type: ignore[arg-type]


def platform_key() -> str:
    """The secret of a platform key."""
    return keys.create_platform("gateway")[1]


def backend_key() -> str:
    """The secret of a platform key that provisions: it has every scope that one can have."""
    return keys.create_platform("backend", scopes.PLATFORM)[1]


def operator() -> Credential:
    """The company's operator, who administers every organization."""
    administer = frozenset({tree.ADMINISTER})
    return Credential(Kind.PLATFORM_KEY, "operator", None, None, "UTC", administer, administer)


def move(organization: Organization, parent: Organization) -> Organization:
    return organizations.move(organization, parent=parent.public_id, by=operator(), address="", now=timezone.now())


def billing_account(organization: Organization, *, country: str = "US") -> BillingAccount:
    return accounts.create(organization, name="Acme Inc.", email="billing@example.com", country=country)


def card(organization: Organization, token: str = "pm_card_visa") -> PaymentMethod:
    """A saved card. Also makes the billing account that the card needs."""
    if accounts.find(organization) is None:
        billing_account(organization)
    return saving_cards.add(organization, token)


def card_on_page(organization: Organization, name: str) -> PaymentMethod:
    """A test card that its owner saved on the sandbox's page, where the bank may ask them to authenticate."""
    if accounts.find(organization) is None:
        billing_account(organization)
    session = saving_cards.begin_setup(organization, return_url="https://app.example/back")
    visits.complete(session.id, name)
    method = saving_cards.finish_setup(organization, session.id)
    assert method is not None
    return method


def credit(organization: Organization, amount: Decimal | int | str) -> balances.Posting:
    """Grants credits."""
    return posting.post(organization.root_id, kind=LedgerEntry.Kind.GRANT, amount=Decimal(amount), now=timezone.now())
