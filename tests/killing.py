"""Kills a process with SIGKILL at a chosen point of its work."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

from django.db import connection


def hang(*_: Any, reached: int) -> Any:
    """Stands for a verb at which the process is killed: it says that it was reached, and never returns."""
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
