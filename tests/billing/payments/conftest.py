import pytest

from accounts.models import Organization
from tests import factories
from tests.billing.payments.gateway import FaultySandbox
from tests.billing.payments.recharging import switch_on


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
