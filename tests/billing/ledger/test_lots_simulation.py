"""Lots burn and expire lazily, and nobody can tell: random scripts against a book that does it all at its time."""

import os
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.db import transaction

from billing.ledger import balances, lots, posting
from billing.models import LedgerAccount
from tests import factories
from tests.billing.ledger.lot_scripts import KEPT_FIRST, Script
from tests.concurrency import replace

SCRIPTS = int(os.environ.get("LOT_SCRIPTS", "100"))  # LOT_SCRIPTS=2000 takes minutes
CONTROL_SCRIPTS = 40  # one that differs is enough
AT_ONCE = 40

pytestmark = pytest.mark.usefixtures("committed")


def play(count: int) -> Iterator[list[str]]:
    """What each of so many scripts found to differ. All are rolled back, so many at once."""
    for first in range(0, count, AT_ONCE):
        with transaction.atomic():
            for seed in range(first, min(first + AT_ONCE, count)):
                payer, limit = factories.organization(), Decimal(30 * (seed % 5 == 0))
                LedgerAccount.objects.create(organization=payer, credit_limit=limit)
                yield Script(seed, payer, limit).play()
            transaction.set_rollback(True)


def test_the_lazy_ledger_is_the_eager_book() -> None:
    for differences in play(SCRIPTS):
        assert differences == []


def one_differs() -> bool:
    return any(play(CONTROL_SCRIPTS))


def test_a_posting_that_does_not_look_what_is_due_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first control."""
    replace(monkeypatch, balances, ("POST", "POSTED"), "a.due_at > %(now)s", "true")
    assert one_differs()


def test_an_entry_that_is_netted_with_usage_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The second: earlier usage burns the lots as they are after the entry."""
    monkeypatch.setattr(posting, "_allot_earlier_usage", lambda account: None)
    assert one_differs()


def test_a_refund_that_burns_in_the_order_of_usage_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The third."""
    monkeypatch.setattr(lots, "take", lambda *arguments: None)
    assert one_differs()


def test_a_lot_that_keeps_nothing_for_holds_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fourth."""
    unpinned = lots.EXPIRE.replace("h.amount - h.captured", "0::numeric")
    assert unpinned != lots.EXPIRE
    monkeypatch.setattr(lots, "EXPIRE", unpinned)
    assert one_differs()


def test_a_kept_lot_that_burns_in_its_old_place_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    uniform = lots.ALLOT.replace(KEPT_FIRST, "g.priority")
    assert uniform != lots.ALLOT
    monkeypatch.setattr(lots, "ALLOT", uniform)
    assert one_differs()


def test_a_lease_that_is_extended_while_lots_are_kept_for_it_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lots, "is_kept", lambda *arguments: False)
    assert one_differs()
