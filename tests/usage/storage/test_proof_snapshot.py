"""`check_ledger` beside others who write."""

from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.db.models import F

from billing.ledger import seals
from billing.models import LedgerAccount, LedgerEntry
from tests import factories
from tests.concurrency import race
from tests.usage.metering.batches import event, record
from usage.storage import reconciliation


@pytest.fixture
def committed_database(fresh_database: None) -> None:
    """All books are proved."""


@pytest.mark.usefixtures("committed")
def test_the_proof_is_of_one_snapshot_and_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With no transaction around it, the command opens its own."""
    organization = factories.organization()
    factories.credit(organization, 100)
    record(event(organization))
    check, counts = seals.check, []

    def check_after_another_wrote() -> Any:
        race([lambda: record(event(organization))])
        counts.append(LedgerEntry.objects.count())
        with pytest.raises(DatabaseError, match="read-only"), transaction.atomic():
            LedgerAccount.objects.update(seq=F("seq"))
        return check()

    monkeypatch.setattr(seals, "check", check_after_another_wrote)
    assert reconciliation.run() == []
    assert [*counts, LedgerEntry.objects.count()] == [2, 3]
