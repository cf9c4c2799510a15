from typing import Any

import pytest

from billing.payments import gateways
from tests.billing.payments.gateway import FaultySandbox


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch, settings: Any) -> FaultySandbox:
    """The payment gateway of the installation, for as long as the test runs."""
    bank = FaultySandbox()
    monkeypatch.setitem(gateways.BY_NAME, bank.name, bank)
    settings.PAYMENT_GATEWAY = bank.name
    return bank
