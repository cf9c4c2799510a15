"""Demo data for the first start: a company of five people with a tree, keys, credits, papers and two months of traffic.

Everything is made by the product's own verbs, each at its own time, so that ledger, usage and papers agree.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.lib import identifiers
from accounts.models import Email, User
from apikeys import keys
from usage.demo import company, history

OWNER, OPERATOR = "owner@example.com", "operator@example.com"


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
    """Make the demo, unless there are people already: then None. The passwords are random.

    It is made with the sandbox only: its purchases would be charged at another gateway, or stop the start.
    """
    if settings.PAYMENT_GATEWAY != "sandbox" or User.objects.exists():
        return None
    owner = SignIn(OWNER, identifiers.random_text(identifiers.BASE62, 12))
    operator = SignIn(OPERATOR, identifiers.random_text(identifiers.BASE62, 12))
    User.objects.create_superuser(operator.email, operator.password, name="Operator")
    _, platform_key = keys.create_platform("gateway")
    start = history.start_of(now)
    cast = company.make(owner.email, owner.password, start)
    history.live_through(cast, start, now)
    Email.objects.all().delete()  # nobody there would read them
    production = cast.keys["Production"]
    return Demo(operator, owner, cast.payer.public_id, platform_key, cast.secret, production.public_id)
