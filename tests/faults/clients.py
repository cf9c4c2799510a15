"""Clients that note what they are about to send, then send it until it is acknowledged."""

import http.client
import json
import os
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from tests.faults.cast import Cast
from tests.faults.operations import OPERATIONS, Answer, Claim, Operation, Ticket

PATIENCE_SECONDS = 60
TIMEOUT_SECONDS = 10
HURRY_SECONDS = 0.004  # an impatient client hangs up after this long and retries
IN_A_HURRY, ASKS_AGAIN, GIVES_UP = 0.05, 0.05, 0.05
# How long a client waits between two operations, on average. Without a pause, six clients keep two cores busy.
PAUSE_SECONDS = float(os.environ.get("PAUSE_SECONDS", "0"))
UNANSWERED = 0
BUSY = "idempotency_key_in_use"


@dataclass
class Book:
    """A client's claims, the outcomes of its requests, and responses that should never happen."""

    claims: list[Claim] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


class Client(Thread):
    def __init__(self, port: int, cast: Cast, operations: list[Operation], chance: random.Random, stop: Event) -> None:
        super().__init__(daemon=True)
        self.port, self.cast, self.operations = port, cast, operations
        self.chance, self.stop, self.book = chance, stop, Book()

    def run(self) -> None:
        weights = [operation.weight for operation in self.operations]
        while not self.stop.is_set():
            [operation] = self.chance.choices(self.operations, weights)
            try:
                self._perform(operation)
            except Exception as error:  # if a client died silently, the drill would prove nothing
                self.book.wrong.append(f"{operation.run.__name__}: {error!r}")
            time.sleep(self.chance.uniform(0, 2 * PAUSE_SECONDS))

    def _perform(self, operation: Operation) -> None:
        steps = operation.run(self.cast, self.chance)
        ticket: Ticket | None = next(steps)
        while ticket is not None:
            answer = self._settle(ticket)
            if answer is None:
                return
            try:
                ticket = steps.send(answer)
            except StopIteration:
                ticket = None

    def _settle(self, ticket: Ticket) -> Answer | None:
        """The response that acknowledges the request; None if it was given up or refused."""
        self.book.claims += ticket.claims
        deadline, gives_up = time.monotonic() + PATIENCE_SECONDS, self.chance.random() < GIVES_UP
        while time.monotonic() < deadline:
            status, answer = self._send(ticket)
            if ticket.is_acknowledged(status, answer):
                self._acknowledge(ticket, answer)
                return answer
            if ticket.is_refused(status):
                for claim in ticket.claims:
                    claim.must_not = True
                self.book.tally["refused"] += 1
                return None
            if not self._may_retry(status, answer):
                self.book.wrong.append(f"{ticket.path} {ticket.body}: {status} {answer}")
                return None
            self.book.tally["retried"] += 1
            if gives_up:
                return None
            time.sleep(self.chance.uniform(0.01, 0.1))
        self.book.wrong.append(f"{ticket.path}: no acknowledgement within {PATIENCE_SECONDS} s, at last {status}")
        return None

    def _may_retry(self, status: int, answer: Answer) -> bool:
        """500 isn't retried, because an outage must give 503."""
        return status in (UNANSWERED, 502, 503, 504) or (status == 409 and answer.get("code") == BUSY)

    def _acknowledge(self, ticket: Ticket, answer: Answer) -> None:
        for claim in ticket.claims:
            claim.must = True
        self.book.tally["acked"] += 1
        if ticket.claims and self.chance.random() < ASKS_AGAIN:
            status, again = self._send(ticket)
            if not self._may_retry(status, again) and not ticket.is_repeated_by(answer, again):
                self.book.wrong.append(f"{ticket.path} sent again: {status} {again}, at first {answer}")

    def _send(self, ticket: Ticket) -> tuple[int, Answer]:
        for claim in ticket.claims:
            claim.sent += 1
        in_a_hurry = bool(ticket.claims) and self.chance.random() < IN_A_HURRY
        reply = ask(self.port, ticket, HURRY_SECONDS if in_a_hurry else TIMEOUT_SECONDS)
        return reply.status, reply.answer


@dataclass(frozen=True)
class Reply:
    """UNANSWERED if the connection broke or timed out. The names of headers are in lower case."""

    status: int = UNANSWERED
    answer: Answer = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(port: int, ticket: Ticket, timeout: float = TIMEOUT_SECONDS) -> Reply:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    headers = {"Content-Type": ticket.content_type}
    headers |= {"Authorization": f"Bearer {ticket.secret}"} if ticket.secret else {}
    headers |= {"Idempotency-Key": ticket.key} if ticket.key else {}
    try:
        body = None if ticket.body is None else json.dumps(ticket.body)
        connection.request("GET" if body is None else "POST", ticket.path, body, headers)
        response = connection.getresponse()
        answer: Any = json.loads(response.read() or b"{}")
        return Reply(response.status, answer if isinstance(answer, dict) else {}, headers_of(response))
    except (OSError, http.client.HTTPException):
        return Reply()
    finally:
        connection.close()


def headers_of(response: http.client.HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


def available(port: int, cast: Cast) -> list[Operation]:
    """The operations whose routes exist and support the request."""

    def there(operation: Operation) -> bool:
        status = ask(port, Ticket(operation.needs, cast.gateway, operation.asks)).status
        return status != http.client.NOT_FOUND and not (operation.asks and status == http.client.BAD_REQUEST)

    return [operation for operation in OPERATIONS if there(operation)]
