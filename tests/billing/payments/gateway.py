"""A payment gateway that keeps what it was asked: another system's stand-in, which honours idempotency keys."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from threading import Barrier

from django.db import connection

from billing.payments.gateways import Card, Charge, GatewayUnavailable, UnknownToken

CARD = Card(token="", brand="visa", last4="4242", exp_month=12, exp_year=2040)


class RecordingGateway:
    name = "recording"

    def __init__(self) -> None:
        self.charged: dict[str, Decimal] = {}  # what the customer really pays, by idempotency key
        self.calls: list[str] = []
        self.saw_transactions: list[bool] = []
        self.answer = Charge(status="succeeded", reference="ref-1")
        self.fails_at = ""  # the idempotency key of a charge at which it answers with nonsense
        self.together: Barrier | None = None  # all callers wait for each other
        self.before: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def attach(self, token: str) -> Card:
        self.saw_transactions.append(connection.in_atomic_block)
        if token == "unknown":
            raise UnknownToken(token)
        return replace(CARD, token=token)

    def charge(self, *, token: str, amount: Decimal, currency: str, idempotency_key: str) -> Charge:
        self.saw_transactions.append(connection.in_atomic_block)
        self.calls.append(idempotency_key)
        if self.together:
            self.together.wait(timeout=30)
        self.before()
        if idempotency_key == self.fails_at:
            raise ValueError("502 Bad Gateway")
        if self.answer.status == "succeeded":
            self.charged.setdefault(idempotency_key, amount)
        self.after()
        return self.answer


def unavailable() -> None:
    """As `before` the gateway is not reached; as `after` it has charged, and its answer is lost."""
    raise GatewayUnavailable
