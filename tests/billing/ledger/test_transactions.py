"""Verbs that lock, or that rely on a lock of the caller's, refuse to run outside of a transaction."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db.transaction import TransactionManagementError
from django.utils import timezone

from accounts.models import Organization
from apikeys import rate_limits
from billing.ledger import alerts, balances, budgets, expiry, holds, lots, moves, posting
from billing.ledger.balances import Posting
from billing.models import Hold, LedgerEntry
from tests import factories
from usage.metering import deduplication, insert, rating

NOW, MONTH, ONE = datetime(2036, 10, 15, tzinfo=UTC), date(2036, 10, 1), Decimal(1)

VERBS: dict[str, Callable[[Organization], Any]] = {
    "lock": lambda payer: posting.lock([payer.pk], timezone.now()),
    "post_usage": lambda payer: balances.post_usage({payer.pk: ONE}, NOW),
    "capture_by_usage": lambda payer: holds.capture_by_usage({}, NOW),
    "admit": lambda payer: budgets.admit(payer, None, ONE, month=MONTH, now=NOW),
    "count": lambda payer: budgets.count(
        Hold(account_id=payer.pk, organization=payer, amount=ONE), ONE, month=MONTH, now=NOW
    ),
    "give_back": lambda payer: budgets.give_back(payer, None, ONE, month=MONTH, seq=1, now=NOW),
    "check": lambda payer: alerts.check([payer.pk], NOW),
    "allot": lambda payer: lots.allot(payer.pk),
    "expire": lambda payer: lots.expire(payer.pk, NOW),
    "add": lambda payer: lots.add(Posting(payer.pk, 2, ONE), lots.Lot(), amount=ONE, now=NOW),
    "take": lambda payer: lots.take(payer.pk, 1, ONE),
    "expire_holds": lambda payer: expiry.expire_holds(payer.pk, NOW),
    "reschedule": lambda payer: expiry.reschedule(payer.pk),
    "record a move": lambda payer: moves.record(payer, [], balances.Locked(0, None, None, zone=None), NOW),  # type: ignore[arg-type]
    "lock rate limits": lambda payer: rate_limits.lock([]),
    "find duplicates": lambda payer: deduplication.known([], NOW),
    "rate": lambda payer: rating.rate([], [], {}),
    "insert": lambda payer: insert.insert(insert.Prepared([], [], {}, [], {}), {}, {}),
}


@pytest.mark.parametrize("verb", VERBS)
def test_it_refuses_to_run_outside_of_a_transaction(committed: None, verb: str) -> None:
    payer = factories.organization()
    factories.credit(payer, 100)
    with pytest.raises(TransactionManagementError):
        VERBS[verb](payer)
    assert LedgerEntry.objects.of(payer).count() == 1
