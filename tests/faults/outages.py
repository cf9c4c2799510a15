"""Checks what users get while a part is down or hangs: what can't be done without it is refused clearly and soon."""

import http.client
import random
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

from tests.faults import operations
from tests.faults.cast import Cast
from tests.faults.clients import Book, Reply, ask
from tests.faults.operations import Ticket
from tests.faults.processes import CELERY, POSTGRES, VALKEY, Role

PROMPT_SECONDS = 5
MARGIN_SECONDS = 5  # for a machine that is busy with the load


MONEY = frozenset({"/v1/usage/events", "/v1/credits/purchases"})
# The answers while a part hangs. Everything else is 503.
WITHOUT: Mapping[str, frozenset[str]] = {
    POSTGRES.name: frozenset({"/healthz"}),
    VALKEY.name: frozenset({"/healthz", "/v1/plans", "/v1/whoami"}) | MONEY,
    CELERY.name: frozenset({"/healthz", "/readyz", "/v1/plans", "/v1/whoami"}) | MONEY,
}
# What may also be 503: the worker may hang while it has a customer's row locked.
PERHAPS: Mapping[str, frozenset[str]] = {POSTGRES.name: frozenset(), VALKEY.name: frozenset(), CELERY.name: MONEY}


def look_while_it_hangs(port: int, cast: Cast, chance: random.Random, role: Role, seconds: float) -> Book:
    """Asks for so many seconds, and at least once. `tally` has the answers by path and status."""
    book, deadline = Book(), time.monotonic() + seconds
    while True:
        tickets = [Ticket("/healthz", ""), Ticket("/readyz", ""), Ticket("/v1/plans", "")]
        tickets.append(Ticket("/v1/whoami", cast.customers[0].limited))
        tickets += [next(operation(cast, chance)) for operation in (operations.event, operations.purchase)]
        with ThreadPoolExecutor(len(tickets)) as pool:
            for ticket, (reply, took) in zip(tickets, pool.map(partial(_timed, port), tickets), strict=True):
                _note(book, role, ticket, reply, took)
        if time.monotonic() > deadline:
            return book


def _timed(port: int, ticket: Ticket) -> tuple[Reply, float]:
    began = time.monotonic()
    return ask(port, ticket, timeout=60), time.monotonic() - began


def _note(book: Book, role: Role, ticket: Ticket, reply: Reply, took: float) -> None:
    is_done = ticket.is_acknowledged(reply.status, reply.answer)
    book.claims += [replace(claim, must=is_done, sent=1) for claim in ticket.claims]
    book.tally[f"{ticket.path} {reply.status}"] += 1
    is_refused = reply.status == http.client.SERVICE_UNAVAILABLE and "retry-after" in reply.headers
    expected = is_done if ticket.path in WITHOUT[role.name] else is_refused
    expected |= is_refused and ticket.path in PERHAPS[role.name]
    if not expected or took > PROMPT_SECONDS + MARGIN_SECONDS:
        book.wrong.append(f"while {role.name} hangs, {ticket.path}: {reply} after {took:.1f} s")


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
    parts = (refusal.status, refusal.answer.get("code"), refusal.headers.get("content-type"))
    return parts == (503, "unavailable", "application/problem+json") and "retry-after" in refusal.headers
