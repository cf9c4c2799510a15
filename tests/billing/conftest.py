from typing import Any

import pytest

from billing.payments import gateways
from tests.billing.payments.gateway import FaultySandbox


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FaultySandbox:
    """The payment gateway of the installation, for as long as the test runs."""
    bank = FaultySandbox()
    named = gateways.named
    monkeypatch.setattr(gateways, "named", lambda name: bank if name == bank.name else named(name))
    settings.PAYMENT_GATEWAY = bank.name
    return bank
