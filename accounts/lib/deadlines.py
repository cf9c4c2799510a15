"""How long a call to another system may take: no longer than the request that waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_end: ContextVar[float | None] = ContextVar("end", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Calls that are made in the block have to end by then."""
    token = _end.set(time.monotonic() + seconds)
    try:
        yield
    finally:
        _end.reset(token)


def left(at_most: float) -> float:
    """Seconds for one call: `at_most`, or what is left of the block's time. `TimeoutError` once there is nothing."""
    end = _end.get()
    seconds = at_most if end is None else min(at_most, end - time.monotonic())
    if seconds <= 0:
        raise TimeoutError("The request has no time left for this call.")
    return seconds
