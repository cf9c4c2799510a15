"""Batches that meet, and batches that die. Races have their negative control: without the lock, the bug is seen."""

import random
from datetime import timedelta
from decimal import Decimal
from functools import partial
from threading import Barrier, Event
from typing import Any

import pytest
from django.db import DatabaseError, Error, transaction

from accounts.models import Organization
from billing.ledger import balances
from billing.models import LedgerEntry
from tests import factories
from tests.concurrency import dont_lock, race
from tests.usage.metering.batches import balance, event, next_month_starts, outcomes, record, usage_entries
from usage.models import EndpointRollup, UsageEvent, UsageRollup
from usage.storage import reconciliation

THREADS = 8

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def payers(committed: None) -> list[Organization]:
    """Three organizations with 100 credits each."""
    payers = [factories.organization() for _ in range(3)]
    for payer in payers:
        factories.credit(payer, 100)
    return payers


def shuffled(batch: list[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(batch, len(batch))


def seen(organization: Organization) -> tuple[int, int, int, int, Decimal]:
    """The figures that a reader sees: events, both rollups, entries, and the balance."""
    rows = (UsageEvent, UsageRollup, EndpointRollup, LedgerEntry)
    a, b, c, d = (table.objects.of(organization).count() for table in rows)
    return a, b, c, d, balance(organization)


def test_one_batch_from_many_threads_in_any_order_has_one_effect(payers: list[Organization]) -> None:
    batch = [event(payer, endpoint=f"/{n % 7}") for payer in payers for n in range(50)]
    results = race([partial(outcomes, *shuffled(batch, seed)) for seed in range(THREADS)])
    assert sum(outcome.count("accepted") for outcome in results) == 150
    assert sum(outcome.count("duplicate") for outcome in results) == 150 * (THREADS - 1)
    assert [balance(payer) for payer in payers] == [Decimal("99.95")] * 3


def test_batches_that_share_some_events_count_each_once(payers: list[Organization]) -> None:
    sent = [event(payers[n % 3]) for n in range(90)]
    halves = [shuffled(sent, seed)[:45] for seed in range(THREADS)]
    race([partial(record, *half) for half in halves])
    distinct = {body["id"] for half in halves for body in half}
    assert sum(UsageEvent.objects.of(payer).count() for payer in payers) == len(distinct)
    assert sum(balance(payer) for payer in payers) == 300 - len(distinct) * Decimal("0.001")


def test_different_batches_at_once_all_land(payers: list[Organization]) -> None:
    when = "2015-05-17T10:05:00Z"  # so that all fold into the same rollups
    sent = [[event(payer, occurred_at=when) for payer in shuffled(payers, n)] for n in range(THREADS)]
    race([partial(record, *batch) for batch in sent])
    assert [UsageRollup.objects.of(payer).get().requests for payer in payers] == [THREADS] * 3
    assert [seq for seq, _ in usage_entries(payers[0])] == list(range(2, THREADS + 2))
    assert reconciliation.run() == []


def test_a_first_event_from_many_threads_opens_one_ledger() -> None:
    organization = factories.organization()
    race([lambda: record(event(organization))] * THREADS)
    assert [seq for seq, _ in usage_entries(organization)] == list(range(1, THREADS + 1))


def test_batches_in_different_orders_would_deadlock_without_the_lock(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the tests above; with events that cost nothing, so that only their order matters."""
    dont_lock(monkeypatch)
    key, _ = factories.key(payers[0], environment="test")
    first, second = (event(key, occurred_at=day) for day in ("2015-05-17", "2015-05-18"))
    both_have_one = Barrier(2)

    def send(order: list[Any]) -> None:
        with transaction.atomic():
            record(order[0])
            both_have_one.wait(timeout=30)
            record(order[1])

    results = race([lambda: send([first, second]), lambda: send([second, first])])
    assert [isinstance(result, DatabaseError) for result in results if result] == [True]


def from_two_servers(organization: Organization, later: timedelta) -> list[Any]:
    """One event from two servers before either has committed: at the end of a month, and so much later."""
    key, _ = factories.key(organization, environment="test")
    sent, last, inserted, through = event(key), next_month_starts() - timedelta(seconds=1), Event(), Event()

    def first() -> list[str]:
        with transaction.atomic():
            outcome = outcomes(sent, at=last)
            inserted.set()
            through.wait(timeout=1)  # in vain if the other one waits for this transaction
        return outcome

    def second() -> list[str]:
        inserted.wait(timeout=30)
        outcome = outcomes(sent, at=last + later)
        through.set()
        return outcome

    return race([first, second])


def test_an_event_on_both_sides_of_the_months_border_is_counted_once(payers: list[Organization]) -> None:
    assert from_two_servers(payers[0], timedelta(seconds=1)) == [["accepted"], ["duplicate"]]


def test_at_the_months_border_it_would_be_counted_twice_without_the_lock(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: neither partition's unique index can see the other."""
    dont_lock(monkeypatch)
    assert from_two_servers(payers[0], timedelta(seconds=1)) == [["accepted"], ["accepted"]]


def test_an_event_from_two_servers_at_once_is_counted_once(payers: list[Organization]) -> None:
    assert from_two_servers(payers[0], timedelta()) == [["accepted"], ["duplicate"]]


def test_within_a_month_the_unique_index_would_refuse_it_without_the_lock(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control of the test above: the batch that was told that its event is new fails as a whole."""
    dont_lock(monkeypatch)
    first, second = from_two_servers(payers[0], timedelta())
    assert first == ["accepted"]
    assert isinstance(second, DatabaseError)


def test_others_see_nothing_of_a_batch_before_it_commits_and_all_of_it_after(payers: list[Organization]) -> None:
    with transaction.atomic():
        record(event(payers[0]), event(payers[0], meter="sms"))
        [before] = race([lambda: seen(payers[0])])
    [after] = race([lambda: seen(payers[0])])
    assert before == (0, 0, 0, 1, 100)
    assert after == (2, 2, 2, 2, Decimal("99.989"))


def test_the_books_agree_whenever_they_are_looked_at(payers: list[Organization]) -> None:
    """Four writers, and a reader who reconciles all the while."""
    done = Event()

    def write() -> None:
        for n in range(10):
            record(*(event(payer, endpoint=f"/{n}") for payer in payers))

    def read() -> int:
        looks = 0
        while not done.is_set() or not looks:
            assert reconciliation.run() == []
            looks += 1
        return looks

    def write_all() -> None:
        race([write] * 4)
        done.set()

    _, looks = race([write_all, read])
    assert isinstance(looks, int)
    assert [balance(payer) for payer in payers] == [100 - 40 * Decimal("0.001")] * 3


def _dies(monkeypatch: pytest.MonkeyPatch, death: str) -> None:
    """Instead of being posted."""
    for statement in ("POST_USAGE", "POSTED"):
        monkeypatch.setattr(balances, statement, death)


@pytest.mark.parametrize("death", ["SELECT 1 / 0", "SELECT pg_terminate_backend(pg_backend_pid())"])
def test_a_batch_that_dies_before_it_is_posted_leaves_nothing(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch, death: str
) -> None:
    batch = [event(payer) for payer in payers]
    _dies(monkeypatch, death)
    [error] = race([lambda: record(*batch)])
    assert isinstance(error, Error)
    assert [seen(payer) for payer in payers] == [(0, 0, 0, 1, Decimal(100))] * 3


def test_a_batch_that_died_is_recorded_when_it_is_sent_again(
    payers: list[Organization], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = [event(payer) for payer in payers]
    with monkeypatch.context() as patched:
        _dies(patched, "SELECT pg_terminate_backend(pg_backend_pid())")
        race([lambda: record(*batch)])
    assert outcomes(*batch) == ["accepted"] * 3
    assert [balance(payer) for payer in payers] == [Decimal("99.999")] * 3
