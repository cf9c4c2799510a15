from collections.abc import Iterator

import pytest

from accounts.models import Organization
from tests import factories
from tests.apart import committed_database, second_connection, second_database
from tests.billing.payments import conservation
from tests.billing.payments.gateway import FaultySandbox
from tests.billing.payments.recharging import switch_on
from tests.stripe.fixtures import deliveries, running_stand_in, stand_in
from tests.stripe.process import StandIn

__all__ = ["committed_database", "deliveries", "running_stand_in", "second_connection", "second_database", "stand_in"]


@pytest.fixture
def buyer(organization: Organization, bank: FaultySandbox) -> Organization:
    """Has a billing account and a card that the faulty sandbox keeps."""
    factories.card(organization)
    bank.calls.clear()
    return organization


@pytest.fixture
def payer(organization: Organization, bank: FaultySandbox) -> Organization:
    """Has a card and 100 credits, and buys 50 when less than 20 are left."""
    factories.card(organization)
    factories.credit(organization, 100)
    switch_on(organization)
    return organization


@pytest.fixture
def customer(organization: Organization, stand_in: StandIn) -> Iterator[Organization]:
    """Has a card at the stand-in for Stripe. After the test, no money was made or lost."""
    factories.card(organization)
    yield organization
    assert conservation.differences(stand_in) == []
