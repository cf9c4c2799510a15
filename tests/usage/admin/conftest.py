from decimal import Decimal
from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from apikeys.models import ApiKey
from billing.payments import payments, purchases
from tests import factories
from tests.browser import signed_in
from tests.usage.metering.batches import event, record


@pytest.fixture
def operator(db: None) -> Client:
    return signed_in(User.objects.create_superuser(f"{factories.unique('operator')}@example.com", "x"))


@pytest.fixture
def busy(organization: Any, alice: User) -> ApiKey:
    """A key of alice's organization, which has bought 20 credits and used some."""
    factories.card(organization)
    payments.complete(purchases.begin(organization, amount=Decimal(20), method=None, by="alice").pk)
    key, _ = factories.key(organization, created_by=alice)
    record(event(key, quantity=1000))
    return key
