"""The accounts of the drill: some rich customers with cards, a poor customer, and the company's gateway."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from apikeys.models import ApiKey
from billing.models import Price, PriceTier
from tests import factories

CUSTOMERS = 3
OPENING = Decimal(1_000_000)  # of the rich customers: they never run out
POOR_OPENING = Decimal(60)
POOR_BUDGET = Decimal(15)  # the monthly budget of the poor customer's key
TIERED = "voice"  # the meter with tiered prices
TIER_LIMIT, TIER_PRICES = Decimal(500), (Decimal("0.02"), Decimal("0.005"))


@dataclass(frozen=True)
class Customer:
    """`limited` is the secret of a key whose rate limit is never reached. `key` is the row of `secret`."""

    account: UUID
    key: UUID
    organization: str
    key_id: str
    secret: str
    limited: str


@dataclass(frozen=True)
class Cast:
    customers: tuple[Customer, ...]
    poor: Customer
    gateway: str

    def opening(self, account: UUID) -> Decimal:
        return POOR_OPENING if account == self.poor.account else OPENING


def make() -> Cast:
    price = Price.objects.get(meter__slug=TIERED)
    for up_to, amount in zip((TIER_LIMIT, None), TIER_PRICES, strict=True):
        PriceTier.objects.create(price=price, up_to=up_to, unit_amount=amount)
    rich = tuple(_customer(OPENING, None) for _ in range(CUSTOMERS))
    return Cast(rich, _customer(POOR_OPENING, POOR_BUDGET), factories.platform_key())


def turn_the_minute() -> None:
    """Sets up a rare moment: the gateway key's last use is due to be noted again, the customers' keys' isn't."""
    now = timezone.now()
    ApiKey.objects.platform().update(last_used_at=now - timedelta(minutes=2))
    ApiKey.objects.exclude(organization=None).update(last_used_at=now)


def _customer(credits: Decimal, budget: Decimal | None) -> Customer:
    owner = factories.user("fault")
    organization = owner.current_organization
    assert organization
    factories.card(organization)
    factories.credit(organization, credits)
    scopes = ["credits:read", "credits:write"]
    key, secret = factories.key(organization, created_by=owner, permissions=scopes, monthly_budget=budget)
    limit = {"rate_limit": 1_000_000, "rate_limit_window_seconds": 60}
    _, limited = factories.key(organization, created_by=owner, permissions=["account:read"], **limit)
    return Customer(organization.pk, key.pk, organization.public_id, key.public_id, secret, limited)
