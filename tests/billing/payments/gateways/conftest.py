from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing.payments.gateways.sandbox import SandboxGateway
from billing.payments.gateways.stripe import StripeGateway
from tests.billing.payments.gateways.people import SandboxPerson, StripePerson
from tests.billing.payments.gateways.world import World
from tests.stripe.process import StandIn


@pytest.fixture
def stripe(stand_in: StandIn) -> World:
    return World(StripeGateway(), StripePerson(stand_in), timezone.now() - timedelta(seconds=1))


@pytest.fixture(params=["sandbox", "stripe"])
def world(db: None, request: Any) -> World:
    if request.param == "stripe":
        return request.getfixturevalue("stripe")  # type: ignore[no-any-return]
    return World(SandboxGateway(), SandboxPerson(), timezone.now() - timedelta(seconds=1))
