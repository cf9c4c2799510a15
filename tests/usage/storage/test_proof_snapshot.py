"""`check_ledger` beside others who write."""

import pytest

from tests import factories
from tests.usage.metering.batches import event, record
from usage.storage import reconciliation


@pytest.fixture
def committed_database(fresh_database: None) -> None:
    """All books are proved."""


@pytest.mark.usefixtures("committed")
def test_the_proof_is_of_one_snapshot_and_writes_nothing() -> None:
    """With no transaction around it, the command opens its own."""
    organization = factories.organization()
    factories.credit(organization, 100)
    record(event(organization))
    assert reconciliation.run() == []
