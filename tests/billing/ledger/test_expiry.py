"""The sweep over what fell due: it goes over all, stumbles over none, and nothing hangs on it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
import time_machine
from django.utils import timezone

from accounts.lib import sql
from accounts.models import Organization
from billing import tasks
from billing.exceptions import NotEnoughCredits
from billing.ledger import expiry, expiry_sweep, holds, lots, posting
from billing.models import Hold, LedgerAccount, LedgerEntry
from tests import factories

HOUR = timedelta(hours=1)


@pytest.fixture
def payers(db: None) -> list[Organization]:
    """Each has a hold of 4 of its 10 credits, which is due in an hour, with the credits."""
    payers = [factories.organization() for _ in range(5)]
    for payer in payers:
        lot = lots.Lot(expires_at=timezone.now() + HOUR)
        posting.post(payer.pk, kind=LedgerEntry.Kind.PURCHASE, amount=Decimal(10), lot=lot, now=timezone.now())
        holds.place(payer, amount=Decimal(4), ttl=HOUR, now=timezone.now())
    return payers


def figures(payers: list[Organization]) -> set[tuple[Any, Any]]:
    rows = LedgerAccount.objects.filter(pk__in=[payer.pk for payer in payers])
    return set(rows.values_list("balance", "reserved"))


def test_the_sweep_settles_what_is_due_and_then_finds_nothing(payers: list[Organization]) -> None:
    soon = timezone.now() + HOUR
    assert expiry_sweep.expire_due(timezone.now()) == 0
    assert expiry_sweep.expire_due(soon) == len(payers)
    assert figures(payers) == {(0, 0)}
    assert expiry_sweep.expire_due(soon) == 0


def test_an_account_that_is_due_as_before_is_not_written_again(payers: list[Organization]) -> None:
    """While it keeps a lot, every posting settles: that is one version of the row, not two."""

    def place() -> Any:
        return sql.rows("SELECT ctid::text FROM billing_ledgeraccount WHERE organization_id = %(id)s", {"id": payer})

    payer = payers[0].pk
    before = place()
    expiry.reschedule(payer)
    assert place() == before
    LedgerAccount.objects.filter(pk=payer).update(due_at=None)
    expiry.reschedule(payer)
    assert LedgerAccount.objects.get(pk=payer).due_at is not None


@pytest.mark.parametrize("size", [1, 2, 5])
def test_it_goes_on_until_nothing_is_left(
    payers: list[Organization], size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiry_sweep, "BATCH", size)
    assert expiry_sweep.expire_due(timezone.now() + HOUR) == len(payers)


def test_accounts_that_keep_a_lot_are_looked_at_once(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They stay due while the hold is open, which must not keep the sweep busy for ever."""
    monkeypatch.setattr(expiry_sweep, "BATCH", 2)
    Hold.objects.filter(account__in=[payer.pk for payer in payers]).update(expires_at=timezone.now() + 2 * HOUR)
    soon = timezone.now() + HOUR
    assert expiry_sweep.expire_due(soon) == expiry_sweep.expire_due(soon) == len(payers)
    assert figures(payers) == {(4, 4)}


def test_one_that_fails_stops_no_other(payers: list[Organization], monkeypatch: pytest.MonkeyPatch) -> None:
    broken, expire = payers[2].pk, lots.expire

    def failing(account: UUID, *arguments: Any) -> Any:
        if account == broken:
            raise RuntimeError("broken")
        return expire(account, *arguments)

    monkeypatch.setattr(lots, "expire", failing)
    assert expiry_sweep.expire_due(timezone.now() + HOUR) == len(payers) - 1
    assert figures(payers[2:3]) == {(10, 4)}


def test_the_task_sweeps_at_its_own_time(payers: list[Organization]) -> None:
    with time_machine.travel(timezone.now() + HOUR):
        assert tasks.expire_due_credits() == len(payers)


def test_swept_or_not_an_account_says_the_same(payers: list[Organization]) -> None:
    """After an expiry, reads, admissions and postings are the same with and without a sweep."""
    swept, unswept = payers[:2]
    with time_machine.travel(timezone.now() + 2 * HOUR, tick=False):
        posting.bring_up_to_date(swept.pk, timezone.now())
        for payer in (swept, unswept):
            assert posting.available(payer.pk, timezone.now()) == 0
            with pytest.raises(NotEnoughCredits):
                holds.place(payer, amount=Decimal(1), ttl=HOUR, now=timezone.now())
            posting.post(payer.pk, kind=LedgerEntry.Kind.USAGE, amount=Decimal(-1), now=timezone.now())
    assert figures([swept]) == figures([unswept]) == {(-1, 0)}
