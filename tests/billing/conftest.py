from typing import Any

import pytest

from billing.payments import gateways
from tests.billing.payments.gateway import RecordingGateway


@pytest.fixture
def bank(monkeypatch: pytest.MonkeyPatch, settings: Any) -> RecordingGateway:
    """The payment gateway of the installation, for as long as the test runs."""
    bank = RecordingGateway()
    monkeypatch.setitem(gateways.ONE_STEP, bank.name, bank)
    settings.PAYMENT_GATEWAY = bank.name
    return bank
