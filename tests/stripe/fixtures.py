"""Tollgate connected to the stand-in. A `conftest.py` imports these."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.stripe.process import StandIn

SECRETS = ["whsec_first", "whsec_second"]


@pytest.fixture(scope="session")
def running_stand_in() -> Iterator[StandIn]:
    with StandIn() as stand_in:
        yield stand_in


@pytest.fixture
def stand_in(running_stand_in: StandIn, settings: Any) -> Iterator[StandIn]:
    """One process for all tests: each has customers of its own, and leaves no fault behind."""
    settings.PAYMENT_GATEWAY = "stripe"
    settings.STRIPE_SECRET_KEY = "sk_test_tollgate"
    settings.STRIPE_WEBHOOK_SECRETS = SECRETS
    settings.STRIPE_API_BASE = running_stand_in.address
    running_stand_in.configure(silent=False, page_size=100, mode="held", secrets=SECRETS)
    yield running_stand_in
    running_stand_in.clear_faults()
    running_stand_in.configure(silent=False, page_size=100, mode="held", secrets=SECRETS)
