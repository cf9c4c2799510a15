"""How long a call to another system may take: no longer than the request that waits for it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Deadline:
    """The end of some work that may take several calls."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self, at_most: float = float("inf")) -> float:
        """Seconds for the next call. `TimeoutError` once there are none."""
        seconds = min(self._end - time.monotonic(), at_most)
        if seconds <= 0:
            raise TimeoutError("There is no time left for this call.")
        return seconds

    def is_within(self, seconds: float) -> bool:
        """Whether it comes that soon."""
        return self._end - time.monotonic() < seconds


_of_block: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Calls that are made in the block have to end by then."""
    token = _of_block.set(Deadline(seconds))
    try:
        yield
    finally:
        _of_block.reset(token)


def left(at_most: float) -> float:
    """Seconds for one call: `at_most`, or what is left of the block's time. `TimeoutError` once there is nothing."""
    deadline = _of_block.get()
    return deadline.left(at_most) if deadline else at_most


def is_within(seconds: float) -> bool:
    """Whether the block's time is up that soon. Never outside of a block."""
    deadline = _of_block.get()
    return deadline is not None and deadline.is_within(seconds)
