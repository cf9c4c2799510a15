from collections.abc import Iterator

import pytest
from django.db import connection

from accounts.models import Organization
from tests import factories
from tests.apart import committed_database, second_database
from tests.billing.payments import conservation
from tests.billing.payments.gateway import FaultySandbox
from tests.billing.payments.recharging import switch_on
from tests.stripe.fixtures import deliveries, running_stand_in, stand_in
from tests.stripe.process import StandIn

# Payments refer to their cards, so for these two statements nobody looks.
WITHOUT_CARDS = """
SET LOCAL session_replication_role = replica;
DELETE FROM billing_paymentmethod;
DELETE FROM billing_gatewaycustomer;
SET LOCAL session_replication_role = origin;
"""

__all__ = ["committed_database", "deliveries", "running_stand_in", "second_database", "stand_in"]


@pytest.fixture(autouse=True)
def no_earlier_cards(request: pytest.FixtureRequest) -> None:
    """Takes away the cards that tests of other folders committed, for the time of a test that is rolled back."""
    if "db" in request.fixturenames:
        request.getfixturevalue("db")
        with connection.cursor() as cursor:
            cursor.execute(WITHOUT_CARDS)


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
