"""Demo data for the first start: a company with credits, a key, and a month of traffic."""

import random
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts import people
from accounts.lib import identifiers
from accounts.models import Organization, User
from apikeys import keys
from apikeys.models import ApiKey
from billing import accounts
from billing.payments import methods, payments, purchases
from usage import metering
from usage.metering.parsing import BATCH_LIMIT

DAYS = 30
REQUESTS_A_DAY = 120
ENDPOINTS = ("/v1/messages", "/v1/messages/{id}", "/v1/search", "/v1/embeddings", "/v1/files")
PURCHASES = (Decimal(20), Decimal(50))


@dataclass(frozen=True)
class SignIn:
    email: str
    password: str


@dataclass(frozen=True)
class Demo:
    """What a visitor needs to sign in and to call the API."""

    operator: SignIn
    owner: SignIn
    organization: str
    platform_key: str
    api_key: str
    key_id: str

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def make(now: datetime) -> Demo | None:
    """Make the demo, unless there are people already: then None. The passwords are random."""
    if User.objects.exists():
        return None
    owner = SignIn("owner@example.com", identifiers.random_text(identifiers.BASE62, 12))
    operator = SignIn("operator@example.com", identifiers.random_text(identifiers.BASE62, 12))
    with transaction.atomic():
        User.objects.create_superuser(operator.email, operator.password, name="Operator")
        person = User(email=owner.email, name="Example Corp")
        person.set_password(owner.password)
        organization = people.sign_up(person)
        accounts.create(organization, name="Example Corp", email=owner.email, country="US")
        _, platform_key = keys.create_platform("gateway")
        key, secret = keys.create(
            organization,
            name="Production",
            created_by=person,
            permissions=["messaging:send", "usage:read", "credits:read"],
        )
    _buy(organization)
    _use(key, now)
    return Demo(operator, owner, organization.public_id, platform_key, secret, key.public_id)


def _buy(organization: Organization) -> None:
    methods.add(organization, "pm_card_visa")
    for amount in PURCHASES:
        payments.complete(purchases.begin(organization, amount=amount, method=None, by="demo").pk)


def _use(key: ApiKey, now: datetime) -> None:
    """A month of requests that ends now; otherwise the same in every demo."""
    chance = random.Random(1)  # noqa: S311
    events = [_event(number, key, now, chance) for number in range(DAYS * REQUESTS_A_DAY)]
    for start in range(0, len(events), BATCH_LIMIT):
        metering.record(events[start : start + BATCH_LIMIT])


def _event(number: int, key: ApiKey, now: datetime, chance: random.Random) -> dict[str, Any]:
    meter = chance.choices(("requests", "sms", "voice"), weights=(90, 8, 2))[0]
    return {
        "id": f"demo-{number}",
        "key_id": key.public_id,
        "meter": meter,
        "endpoint": chance.choices(ENDPOINTS, weights=(50, 20, 15, 10, 5))[0],
        "quantity": chance.randint(1, 9) if meter == "voice" else 1,
        "status": chance.choices((200, 201, 404, 500), weights=(70, 24, 5, 1))[0],
        "occurred_at": (now - timedelta(seconds=chance.triangular(0, DAYS * 86_400, 0))).isoformat(),
    }
