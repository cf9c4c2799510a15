"""Voids that meet. Without the lock, the second of two breaks on the table instead of being told."""

from functools import partial
from typing import Any

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.models import Organization
from billing.models import LedgerEntry
from tests import factories
from tests.concurrency import dont_lock, race
from tests.usage.metering.batches import balance, event, record
from usage.metering import voids
from usage.models import EventVoid
from usage.storage import rebuild, reconciliation

THREADS = 8

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def payer(committed: None) -> Organization:
    payer = factories.organization()
    factories.credit(payer, 100)
    return payer


def void(payer: Organization, id: str) -> Any:
    return voids.void(payer, id, reason="Race", actor="", now=timezone.now())


def test_of_many_voids_of_one_event_one_wins(payer: Organization) -> None:
    record(event(payer, id="x"))
    results = race([partial(void, payer, "x")] * THREADS)
    assert [type(result) for result in results].count(voids.AlreadyVoided) == THREADS - 1
    assert EventVoid.objects.of(payer).count() == LedgerEntry.objects.of(payer).filter(kind="adjustment").count() == 1
    assert balance(payer) == 100


def test_without_the_lock_the_second_is_not_told(payer: Organization, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control of the test above: nobody waits before he looks."""
    record(event(payer, id="x"))
    dont_lock(monkeypatch)
    outcomes: list[type] = []
    for _ in range(20):
        record(event(payer, id="x"))
        outcomes += [type(outcome) for outcome in race([partial(void, payer, "x")] * THREADS)]
        if IntegrityError in outcomes:
            break
    assert IntegrityError in outcomes


def test_voids_and_batches_and_rebuilding_meet_and_the_books_agree(payer: Organization) -> None:
    record(*(event(payer, id=f"old{n}", quantity=n) for n in range(20)))
    results = race(
        [
            *(partial(void, payer, f"old{n}") for n in range(0, 20, 2)),
            *(partial(record, *(event(payer) for _ in range(20))) for _ in range(4)),
            *[partial(rebuild.rebuild, [payer.pk])] * 3,
        ]
    )
    assert not [result for result in results if isinstance(result, Exception)]
    assert [result for result in reconciliation.run() if result.organization == payer.public_id] == []
