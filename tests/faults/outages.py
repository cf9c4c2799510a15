"""Checks what still works while Valkey is down, and that the rest is refused clearly."""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.faults import operations
from tests.faults.cast import Cast
from tests.faults.clients import Book, Reply, ask
from tests.faults.operations import Ticket

PROMPT_SECONDS = 5


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """During the block, this process doesn't restart anything."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def look_without_valkey(port: int, cast: Cast, chance: random.Random) -> Book:
    """Returns claims and problems. Money and usage must go on; whatever can't must be refused clearly."""
    book = Book()
    for operation in (operations.event, operations.batch, operations.purchase):
        ticket = next(operation(cast, chance))
        reply = ask(port, ticket)
        book.claims += [replace(claim, must=True) for claim in ticket.claims]
        if not ticket.is_acknowledged(reply.status, reply.answer):
            book.wrong.append(f"without Valkey, {ticket.path}: {reply.status} {reply.answer}")
    for ticket in (Ticket("/v1/plans", ""), Ticket("/v1/whoami", cast.customers[0].limited)):
        began = time.monotonic()
        reply = ask(port, ticket, timeout=60)
        took = time.monotonic() - began
        if took > PROMPT_SECONDS or not (ticket.is_acknowledged(reply.status, reply.answer) or _is_clear(reply)):
            book.wrong.append(f"without Valkey, {ticket.path}: {reply} after {took:.1f} s")
    return book


def _is_clear(refusal: Reply) -> bool:
    parts = (refusal.status, refusal.answer.get("code"), refusal.headers.get("Content-Type"))
    return parts == (503, "unavailable", "application/problem+json") and "Retry-After" in refusal.headers
