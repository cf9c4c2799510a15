"""When an entry was posted: never before the one before it, however long its writer waited."""

import time
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from itertools import pairwise
from random import Random
from threading import Event
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone
from time_machine import travel

from accounts.models import Organization
from billing.ledger import balances, posting
from billing.models import LedgerEntry
from tests import factories
from tests.attacks import without_triggers
from tests.concurrency import race, replace

Kind = LedgerEntry.Kind
WRITERS, TIMES = 6, 20


def forget(payer: Organization) -> None:
    """Other tests prove the books of everybody in this database, and these have usage without events."""
    with transaction.atomic(), connection.cursor() as cursor:
        without_triggers(cursor)
        for table in ("billing_ledgerentry", "billing_grant", "billing_spending"):
            cursor.execute(f"DELETE FROM {table} WHERE account_id = %s", [payer.pk])
        cursor.execute("DELETE FROM billing_ledgeraccount WHERE organization_id = %s", [payer.pk])


@pytest.fixture
def payer(committed: None) -> Iterator[Organization]:
    payer = factories.organization()
    factories.credit(payer, 1000)
    yield payer
    forget(payer)


@pytest.fixture
def hesitating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some milliseconds pass between a writer's look at the clock and its turn, as on a busy machine."""
    write, chance = balances.write, Random(1)

    def hesitate(*arguments: Any, **options: Any) -> Any:
        time.sleep(chance.random() / 100)
        return write(*arguments, **options)

    monkeypatch.setattr(balances, "write", hesitate)


def spend(payer: Organization) -> None:
    for n in range(TIMES):
        kind = [Kind.USAGE, Kind.SUBSCRIPTION][n % 2]  # in one statement, and under the lock
        posting.debit(payer.pk, kind=kind, amount=Decimal(1), now=timezone.now())


def poll(payer: Organization, done: Event) -> set[int]:
    """The entries that a poller sees who asks, again and again, for those since the last that it has."""
    seen = {1: LedgerEntry.objects.get(account_id=payer.pk, seq=1).created_at}
    while True:
        is_last = done.is_set()
        rows = LedgerEntry.objects.filter(account_id=payer.pk, created_at__gte=max(seen.values()))
        seen |= dict(rows.values_list("seq", "created_at"))
        if is_last:
            return set(seen)


def written_and_polled(payer: Organization) -> set[int]:
    """What the poller saw while six wrote."""
    done = Event()

    def write() -> None:
        assert race([partial(spend, payer)] * WRITERS) == [None] * WRITERS
        done.set()

    _, seen = race([write, partial(poll, payer, done)])
    assert isinstance(seen, set)
    return seen


def out_of_order(payer: Organization) -> list[int]:
    entries = LedgerEntry.objects.filter(account_id=payer.pk).order_by("seq").values_list("seq", "created_at")
    return [seq for (_, before), (seq, moment) in pairwise(entries) if moment < before]


def test_a_poller_misses_no_entry_of_six_writers(payer: Organization, hesitating: None) -> None:
    assert written_and_polled(payer) == set(range(1, 2 + WRITERS * TIMES))
    assert out_of_order(payer) == []


def test_without_the_accounts_clock_it_would_miss_some(
    payer: Organization, hesitating: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: each entry has the time of its writer."""
    clock = "updated_at = greatest(a.updated_at, %(now)s)"
    replace(monkeypatch, balances, ("POST", "POSTED"), clock, "updated_at = %(now)s")
    assert written_and_polled(payer) < set(range(1, 2 + WRITERS * TIMES))
    assert out_of_order(payer)


@pytest.mark.parametrize("kind", [Kind.USAGE, Kind.SUBSCRIPTION, Kind.EXPIRY])
def test_a_server_whose_clock_is_slow_posts_after_the_others(funded: Organization, kind: LedgerEntry.Kind) -> None:
    last = LedgerEntry.objects.get(account_id=funded.pk).created_at
    with travel(timezone.now().replace(year=2020)):
        posting.post(funded.pk, kind=kind, amount=Decimal(-1), now=timezone.now())
    assert LedgerEntry.objects.get(account_id=funded.pk, seq=2).created_at >= last
