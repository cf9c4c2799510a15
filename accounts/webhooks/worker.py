"""Sends what is due: threads speak HTTP, and the one thread that has the database connection reads and writes rows."""

import time
from collections.abc import Collection, Iterable, Sequence
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from django.utils import timezone

from accounts import copies
from accounts.webhooks import claims, results, sending
from accounts.webhooks.claims import Work

THREADS = 32
FAILING_THREADS = 4  # of these; the places of endpoints whose last attempt failed
EXTRA_THREADS = 20  # of these, at most; the places beyond one each that quick endpoints may get
SECONDS = 60.0  # then the worker may end, or take a newer task
POLL_SECONDS = 0.2
GATHER_SECONDS = 0.005  # what ends within it is written down together
QUICK_MS = 1000

Answered = Sequence[tuple[Work, sending.Response]]

log = structlog.get_logger()


@dataclass
class Turn:
    """What one endpoint is being sent under a lease."""

    size: int = 0
    left: int = 0
    is_quick: bool = True

    def count(self, answer: sending.Response) -> None:
        self.left -= 1
        self.is_quick &= answer.is_success and answer.duration_ms < QUICK_MS


@dataclass
class Senders:
    """The threads, what they are sending, and how many attempts at once an endpoint may get: its pace.

    A pace starts at one. It doubles after each turn in which the endpoint used it up, and answered quickly and well.
    """

    pool: ThreadPoolExecutor
    running: dict[Future[sending.Response], Work] = field(default_factory=dict)
    turns: dict[UUID, Turn] = field(default_factory=dict)
    paces: dict[UUID, int] = field(default_factory=dict)

    def fill(self, *, failing: bool) -> None:
        """Begins what is due in one of the lanes, in the places that are free there."""
        places = (FAILING_THREADS if failing else THREADS - FAILING_THREADS) - self.count(failing=failing)
        extra = 0 if failing else EXTRA_THREADS - sum(turn.size - 1 for turn in self.turns.values())
        for work in claims.claim(timezone.now(), failing=failing, places=places, paces=self.paces, extra=extra):
            turn = self.turns.setdefault(work.endpoint, Turn())
            turn.size, turn.left = turn.size + 1, turn.left + 1
            self.running[self.pool.submit(work.send)] = work

    def count(self, *, failing: bool) -> int:
        return sum(work.is_failing == failing for work in self.running.values())

    def finish(self, done: Iterable[Future[sending.Response]]) -> None:
        """Writes down what has ended, and gives back the leases of the endpoints whose turn is over."""
        answered = [(self.running.pop(future), future.result()) for future in done]
        for work, answer in answered:
            self.turns[work.endpoint].count(answer)
        over = {work.endpoint for work, _ in answered if not self.turns[work.endpoint].left}
        _record(answered, over)
        for endpoint in over:
            turn, pace = self.turns.pop(endpoint), self.paces.pop(endpoint, 1)
            if turn.is_quick and turn.size == pace:
                self.paces[endpoint] = min(2 * pace, EXTRA_THREADS + 1)


def run(*, seconds: float = SECONDS) -> int:
    """Sends until nothing is due, or its time is over; returns the number of attempts.

    Failing endpoints may take long. Until the last of them has ended, the good ones are sent to, and don't wait.
    """
    end, sent = time.monotonic() + seconds, 0
    if copies.is_copy():
        return sent
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks") as pool:
        senders = Senders(pool)
        while True:
            is_over = time.monotonic() >= end
            if not is_over or senders.count(failing=True):
                senders.fill(failing=False)
            if not is_over:
                senders.fill(failing=True)
            if not senders.running:
                return sent
            done = _ended(senders.running)
            senders.finish(done)
            sent += len(done)


def _ended(running: Collection[Future[sending.Response]]) -> set[Future[sending.Response]]:
    if not wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED).done:
        return set()
    return wait(running, timeout=GATHER_SECONDS, return_when=ALL_COMPLETED).done


def _record(answered: Answered, over: Collection[UUID]) -> None:
    """If that fails, each endpoint by itself: one that can't be recorded keeps its lease until that runs out."""
    try:
        results.record(answered, timezone.now(), over=over)
    except Exception:
        if len({work.endpoint for work, _ in answered}) == 1:
            log.exception("webhook attempts not recorded", endpoint=str(answered[0][0].endpoint))
            return
        for endpoint in dict.fromkeys(work.endpoint for work, _ in answered):
            _record([pair for pair in answered if pair[0].endpoint == endpoint], over)
