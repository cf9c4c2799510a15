"""The work of the client processes that `benchmarks.worker` runs, one unit at a time."""

import os
import random
from collections.abc import Callable
from decimal import Decimal
from itertools import count

from django.db import transaction
from django.utils import timezone

from benchmarks.cast import PAYERS, payer
from billing.ledger import posting
from billing.models import LedgerAccount, LedgerEntry
from usage import metering

AMOUNT = Decimal("0.001")
BATCH = 1000
Once = Callable[[], int]


def spread(number: int) -> Once:
    """One posting, on a payer drawn at random."""
    chance, payers = random.Random(number), [payer(n) for n in range(1, PAYERS + 1)]  # noqa: S311

    def once() -> int:
        posting.debit(chance.choice(payers), kind=LedgerEntry.Kind.USAGE, amount=AMOUNT, now=timezone.now())
        return 1

    return once


def hot(number: int) -> Once:
    """One posting, always on the same payer."""

    def once() -> int:
        posting.debit(payer(1), kind=LedgerEntry.Kind.USAGE, amount=AMOUNT, now=timezone.now())
        return 1

    return once


def coalesced(number: int, key: str) -> Once:
    """1,000 charges of the same payer. They are posted as one entry."""
    numbers = count()

    def once() -> int:
        start = f"{os.getpid()}-{next(numbers)}"
        batch = metering.record([{"id": f"{start}-{n}", "key_id": key, "meter": "requests"} for n in range(BATCH)])
        assert batch.count("accepted") == BATCH
        return BATCH

    return once


def ordinary(number: int) -> Once:
    """The same posting written the ordinary way: lock the row, decide in Python, save, insert the entry."""
    chance, payers = random.Random(number), [payer(n) for n in range(1, PAYERS + 1)]  # noqa: S311

    def once() -> int:
        with transaction.atomic():
            account = LedgerAccount.objects.select_for_update().get(pk=chance.choice(payers))
            assert account.available >= AMOUNT
            account.balance -= AMOUNT
            account.seq += 1
            account.updated_at = timezone.now()
            account.save()
            LedgerEntry.objects.create(
                account=account,
                seq=account.seq,
                kind=LedgerEntry.Kind.USAGE,
                amount=-AMOUNT,
                balance_after=account.balance,
                created_at=account.updated_at,
            )
        return 1

    return once
