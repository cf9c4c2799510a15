"""What goes on while Valkey stays down, and what says that it can't."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.faults import operations
from tests.faults.cast import Cast
from tests.faults.clients import Book, ask
from tests.faults.operations import Ticket

PROMPT_SECONDS = 3


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Nothing that this process would start again is started meanwhile."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def look_without_valkey(port: int, cast: Cast, chance: random.Random) -> Book:
    """What was claimed, and what was not as it should be: money and usage go on, what counts in Redis is refused."""
    book = Book()
    for operation in (operations.event, operations.batch, operations.purchase):
        ticket = next(operation(cast, chance))
        reply = ask(port, ticket)
        book.claims += [replace(claim, must=True) for claim in ticket.claims]
        if not ticket.is_acknowledged(reply.status, reply.answer):
            book.wrong.append(f"without Valkey, {ticket.path}: {reply.status} {reply.answer}")
    for ticket in (Ticket("/v1/plans", ""), Ticket("/v1/whoami", cast.customers[0].limited)):
        book.wrong += _unclear_refusal(port, ticket)
    return book


def _unclear_refusal(port: int, ticket: Ticket) -> list[str]:
    began = time.monotonic()
    reply = ask(port, ticket, timeout=60)
    took = time.monotonic() - began
    kind, wait = reply.headers.get("Content-Type"), reply.headers.get("Retry-After")
    clear = (reply.status, reply.answer.get("code"), kind) == (503, "unavailable", "application/problem+json")
    if clear and wait and took < PROMPT_SECONDS:
        return []
    return [f"without Valkey, {ticket.path}: {reply} after {took:.1f} s"]
