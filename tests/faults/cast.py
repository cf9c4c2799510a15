"""Who takes part: some customers with credits and a card, and the company's gateway."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from apikeys.models import ApiKey
from tests import factories

CUSTOMERS = 3
OPENING = Decimal(1_000_000)  # so that no admission is ever refused


@dataclass(frozen=True)
class Customer:
    """`limited` is the secret of a key that has a rate limit, which it never reaches."""

    account: UUID
    organization: str
    key_id: str
    secret: str
    limited: str


@dataclass(frozen=True)
class Cast:
    customers: tuple[Customer, ...]
    gateway: str


def make() -> Cast:
    return Cast(tuple(_customer() for _ in range(CUSTOMERS)), factories.platform_key())


def turn_the_minute() -> None:
    """The use of the gateway's key is to be noted again, that of the customers' keys is not: a rare moment."""
    now = timezone.now()
    ApiKey.objects.platform().update(last_used_at=now - timedelta(minutes=2))
    ApiKey.objects.exclude(organization=None).update(last_used_at=now)


def _customer() -> Customer:
    owner = factories.user("fault")
    organization = owner.current_organization
    assert organization
    factories.card(organization)
    factories.credit(organization, OPENING)
    key, secret = factories.key(organization, created_by=owner, permissions=["credits:read", "credits:write"])
    limit = {"rate_limit": 1_000_000, "rate_limit_window_seconds": 60}
    _, limited = factories.key(organization, created_by=owner, permissions=["account:read"], **limit)
    return Customer(organization.pk, organization.public_id, key.public_id, secret, limited)
