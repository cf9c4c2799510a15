"""Sends what is due: threads speak HTTP, and the one thread that has the database connection reads and writes rows."""

import time
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

import structlog

from accounts.webhooks import outbox, sending
from accounts.webhooks.outbox import Work

THREADS = 16
FAILING_THREADS = 4  # of these; the places of endpoints whose last attempt failed
SECONDS = 30.0  # then other tasks of the worker have their turn, and a sweep goes on
POLL_SECONDS = 0.2

Running = dict[Future[sending.Answer], Work]

log = structlog.get_logger()


def run(*, seconds: float = SECONDS) -> int:
    """Sends until nothing is due, or its time is over; returns the number of attempts."""
    end, running, sent = time.monotonic() + seconds, Running(), 0
    with ThreadPoolExecutor(THREADS, thread_name_prefix="webhooks") as pool:
        while True:
            if time.monotonic() < end:
                _fill(pool, running)
            if not running:
                return sent
            done, _ = wait(running, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in done:
                sent += 1
                following = _record(running.pop(future), future)
                if following:
                    running[pool.submit(following.send)] = following


def _record(work: Work, future: Future[sending.Answer]) -> Work | None:
    """An attempt that can't be recorded keeps its lease until that runs out, and the others go on."""
    try:
        return outbox.record(work, future.result())
    except Exception:
        log.exception("webhook attempt not recorded", delivery=str(work.delivery), webhook_id=work.webhook_id)
        return None


def _fill(pool: ThreadPoolExecutor, running: Running) -> None:
    for failing, places in ((False, THREADS - FAILING_THREADS), (True, FAILING_THREADS)):
        while sum(work.failing == failing for work in running.values()) < places:
            work = outbox.claim(failing=failing)
            if work is None:
                break
            running[pool.submit(work.send)] = work
