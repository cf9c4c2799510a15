"""Balances from another system are entries of their own kind, posted once."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from accounts.lib.problems import InvalidField
from accounts.models import Event, Organization
from billing.exceptions import PostingConflict
from billing.ledger import imports
from billing.ledger.lots import Lot
from billing.models import Grant, LedgerEntry

NOW, LATER = datetime(2026, 11, 2, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)
GIFT = Lot(Grant.Category.PROMOTIONAL, 10, LATER)


def test_credits_come_as_a_lot_with_its_terms(organization: Organization) -> None:
    seq = imports.bring(organization, Decimal(120), GIFT, key="b1", now=NOW)
    entry, lot = LedgerEntry.objects.get(), Grant.objects.get()
    assert (entry.seq, entry.kind, entry.amount, entry.type) == (seq, "import", 120, "adjustment")
    assert (lot.entry_seq, lot.category, lot.priority, lot.expires_at) == (seq, "promotional", 10, LATER)
    event = Event.objects.get(type="credits.imported")
    assert (event.data["entry"], event.data["category"]) == (seq, "promotional")


def test_a_debt_comes_as_a_negative_balance(organization: Organization) -> None:
    imports.bring(organization, Decimal(-7), Lot(), key="b1", now=NOW)
    assert LedgerEntry.objects.get().balance_after == -7
    with pytest.raises(InvalidField):
        imports.bring(organization, Decimal(-7), GIFT, key="b2", now=NOW)


def test_the_same_key_posts_once(organization: Organization) -> None:
    first = imports.bring(organization, Decimal(1), Lot(), key="b1", now=NOW)
    assert imports.bring(organization, Decimal(1), Lot(), key="b1", now=NOW) == first
    with pytest.raises(PostingConflict):
        imports.bring(organization, Decimal(2), Lot(), key="b1", now=NOW)
    assert LedgerEntry.objects.count() == Event.objects.filter(type="credits.imported").count() == 1
