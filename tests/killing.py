"""Kills a process with SIGKILL at a chosen point of its work, or lets processes hang for a while."""

import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from django.db import connection


def hang(*_: Any, reached: int) -> Any:
    """Replaces a verb at which the process is killed: it reports that it was reached, and never returns."""
    os.write(reached, b".")
    time.sleep(120)


def killed(
    work: Callable[[int], None], is_reached: Callable[[int], object] = lambda reader: os.read(reader, 1)
) -> None:
    """Runs it in a process of its own, and kills that once the point is reached."""
    connection.close()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            work(writer)
        finally:
            os._exit(1)
    is_reached(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


@contextmanager
def stopped(*pids: int) -> Iterator[None]:
    """During the block, these processes hang: they keep their connections, and neither answer nor restart anything."""
    try:
        _send(pids, signal.SIGSTOP)
        yield
    finally:
        _send(pids, signal.SIGCONT)


def _send(pids: Iterable[int], what: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):  # it ended a moment ago, as a process of a closed connection does
            os.kill(pid, what)
