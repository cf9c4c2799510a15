"""The arithmetic of rate limits: at most `limit` calls in any `window` seconds, whatever the phase."""

import random
import threading
import time
from dataclasses import replace

import pytest
from django.db import connection, transaction

from apikeys import rate_limits
from apikeys.models import RateCount
from apikeys.rate_limits import EXACT, Count, Limit
from tests.apikeys.windows import most_in_a_window
from tests.concurrency import race

NOON = 1_900_000_800.0
LIMIT = Limit("test", "caller", 3, 60)
ROW = "test:caller"


def taken(limit: Limit, moment: float) -> bool:
    return rate_limits.take(limit, moment).allowed


@pytest.mark.parametrize("phase", [n / 2 for n in range(12)])
def test_at_every_phase_a_burst_and_then_polling_stay_within_the_limit(db: None, phase: float) -> None:
    """What fixed windows get wrong: ten calls just before one ends, and ten polled out of the next."""
    limit = Limit("test", "caller", 10, 6)
    burst = NOON + phase
    calls = [burst] * 15 + [burst + n * 0.05 for n in range(1, 140)]
    allowed = [moment for moment in calls if taken(limit, moment)]
    assert most_in_a_window(allowed, 6) == 10
    assert allowed[:10] == [burst] * 10
    assert allowed[10] == pytest.approx(burst + 6, abs=0.05)  # and no call counts longer than the window


@pytest.mark.parametrize(("calls", "window"), [(1, 1), (7, 10), (EXACT, 60), (EXACT + 1, 60), (200, 7)])
def test_at_random_no_window_has_more_than_the_limit(db: None, calls: int, window: int) -> None:
    limit, chance, moment = Limit("test", "caller", calls, window), random.Random(calls), NOON
    allowed: list[float] = []
    refused: list[float] = []
    for _ in range(max(100, 6 * calls)):
        moment += chance.expovariate(3 * calls / window)
        (allowed if taken(limit, moment) else refused).append(moment)
    assert refused
    assert most_in_a_window(allowed, window) <= calls
    counts_for = window if calls <= EXACT else window + window / EXACT  # the bound that the documents state
    for call in refused:
        assert sum(call - counts_for < moment <= call for moment in allowed) >= calls


def test_a_row_stays_small_whatever_the_limit(db: None) -> None:
    limit = Limit("test", "caller", 1_000_000, 60)
    for n in range(500):
        taken(limit, NOON + n * 0.31)
    assert len(RateCount.objects.get(pk=ROW).moments) <= EXACT + 1


def test_a_count_is_what_the_calls_were(db: None) -> None:
    counts = [rate_limits.take(LIMIT, NOON + n) for n in range(5)]
    assert [count.allowed for count in counts] == [True] * 3 + [False] * 2
    assert [count.remaining for count in counts] == [2, 1, 0, 0, 0]
    assert [count.resets_in for count in counts] == [60, 59, 58, 57, 56]
    assert counts[-1].calls == [(NOON, 1), (NOON + 1, 1), (NOON + 2, 1)]


def test_a_refused_call_does_not_count(db: None) -> None:
    for _ in range(3):
        taken(LIMIT, NOON)
    assert not any(taken(LIMIT, NOON + n) for n in range(1, 60))
    assert [taken(LIMIT, NOON + 60) for _ in range(4)] == [True] * 3 + [False]


def test_callers_and_policies_are_counted_apart(db: None) -> None:
    for _ in range(3):
        taken(LIMIT, NOON)
    assert not taken(LIMIT, NOON)
    assert taken(replace(LIMIT, subject="another"), NOON)
    assert taken(replace(LIMIT, policy="other"), NOON)


def test_a_tighter_limit_counts_what_was_there_before(db: None) -> None:
    """When it says to come back, enough of them have left the window."""
    for n in range(3):
        taken(LIMIT, NOON + n)
    refused = rate_limits.take(replace(LIMIT, limit=1), NOON + 3)
    assert (refused.allowed, refused.remaining, refused.retry_after) == (False, 0, 59)
    assert taken(replace(LIMIT, limit=1), NOON + 62)


# Clocks and races


def taken_by_two_clocks(apart: float) -> int:
    """How many of 100 calls at one moment pass, when every other one has a clock that is behind."""
    return sum(taken(Limit("test", "caller", 1, 1), NOON - (apart if n % 2 else 0)) for n in range(100))


@pytest.mark.parametrize("apart", [0, 0.5, 1.1, 2.1, 30.5])
def test_a_clock_that_is_behind_counts_what_the_other_counted(db: None, apart: float) -> None:
    assert taken_by_two_clocks(apart) == 1


def test_a_window_that_looks_at_its_own_clock_alone_lets_more_pass(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: without dating a call like the latest one, the two clocks push each other's calls out of order."""
    latest = "greatest(excluded.moments[1], x.moments[cardinality(x.moments)])"
    assert latest in rate_limits.TAKE
    limit = Limit("test", "caller", 2, 1)
    calls = [NOON, NOON - 0.9, NOON + 0.05]

    def passed() -> int:
        RateCount.objects.all().delete()
        return sum(taken(limit, moment) for moment in [*calls, NOON + 0.15])

    assert passed() == 2
    monkeypatch.setattr(rate_limits, "TAKE", rate_limits.TAKE.replace(latest, "excluded.moments[1]"))
    assert passed() == 3


def test_who_is_behind_is_told_when_the_window_of_the_other_ends(db: None) -> None:
    limit = Limit("test", "caller", 1, 1)
    rate_limits.take(limit, NOON)
    refused = rate_limits.take(limit, NOON - 3)
    assert (refused.allowed, refused.remaining, refused.resets_in, refused.retry_after) == (False, 0, 4, 4)


def test_a_call_that_waited_is_dated_like_the_one_that_it_waited_for(committed: None) -> None:
    """Its own moment was over when it got the lock."""
    limit = Limit("test", "waited", 1, 1)
    locked = threading.Event()

    def first() -> bool:
        with transaction.atomic():
            allowed = taken(limit, NOON + 5)
            locked.set()
            time.sleep(0.2)
        return allowed

    def second() -> bool:
        return locked.wait(30) and taken(limit, NOON)

    assert race([first, second]) == [True, False]


def test_of_many_at_once_just_as_many_pass_as_the_limit_says(committed: None) -> None:
    limit = Limit("test", "race", 10, 3600)
    results = race([lambda: taken(limit, NOON)] * 30)
    assert (results.count(True), results.count(False)) == (10, 20)


def test_a_count_that_is_read_and_then_written_lets_too_many_pass(committed: None) -> None:
    """The control of the test above: the same decision, but not in one statement."""
    RateCount.objects.create(subject="test:control", moments=[], calls=[])

    def take() -> bool:
        row = RateCount.objects.get(pk="test:control")
        if len(row.moments) >= 10:
            return False
        time.sleep(0.05)
        RateCount.objects.filter(pk=row.pk).update(moments=[*row.moments, NOON], calls=[*row.calls, 1])
        return True

    assert race([take] * 30).count(True) > 10


def test_a_refusal_by_a_row_that_was_not_there_yet_asks_to_wait_a_window(db: None) -> None:
    count = Count(LIMIT, allowed=False, now=NOON, calls=[])
    assert (count.remaining, count.resets_in, count.retry_after) == (0, 60, 60)


# The table


def test_the_table_is_unlogged(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE oid = 'apikeys_ratecount'::regclass")
        assert cursor.fetchone() == ("u",)


def test_counts_of_who_stopped_calling_are_purged(db: None) -> None:
    day = 86_400
    taken(LIMIT, NOON)
    taken(replace(LIMIT, subject="later"), NOON + 1)
    assert rate_limits.purge(NOON + day - 1) == 0
    assert rate_limits.purge(NOON + day) == 1
    assert [row.subject for row in RateCount.objects.all()] == ["test:later"]
