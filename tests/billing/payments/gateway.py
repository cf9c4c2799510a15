"""A sandbox gateway whose calls can fail: it is not reached, its answers are lost, or it is slow."""

from collections.abc import Callable
from decimal import Decimal
from threading import Barrier
from typing import Any

from django.db import connection

from billing.models import SandboxObject
from billing.payments.gateways import GatewayUnavailable
from billing.payments.gateways.sandbox import SandboxGateway

STEPS = {"create", "confirm", "retrieve", "cancel", "find", "save_card", "customer", "refund", "session"}


class FaultySandbox(SandboxGateway):
    """`before` and `after` hold what happens around a step, by its name. `calls` has the steps in order."""

    name = "faulty"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.saw_transactions: set[bool] = set()
        self.before: dict[str, Callable[[], Any]] = {}
        self.after: dict[str, Callable[[], Any]] = {}

    def __getattribute__(self, name: str) -> Any:
        member = super().__getattribute__(name)
        return self._around(name, member) if name in STEPS else member

    def _around(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:
            self.calls.append(name)
            self.saw_transactions.add(connection.in_atomic_block)
            self.before.get(name, lambda: None)()
            answer = step(*args, **options)
            self.after.get(name, lambda: None)()
            return answer

        return call

    @property
    def charged(self) -> list[Decimal]:
        """The money that was really taken, in the minor unit."""
        intents = SandboxObject.objects.filter(kind="intent").order_by("created_at")
        return [Decimal(row.body["received"]) for row in intents if row.body["received"]]


def unavailable() -> None:
    """As `before`, the gateway is not reached; as `after`, it did its work and its answer is lost."""
    raise GatewayUnavailable


def together(parties: int) -> Callable[[], Any]:
    """All callers wait for each other."""
    barrier = Barrier(parties)
    return lambda: barrier.wait(timeout=30)
