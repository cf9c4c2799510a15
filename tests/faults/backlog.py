"""Payments whose request never finished. The Celery worker's sweep has to settle them."""

import random
import time
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone
from kombu.exceptions import OperationalError as BrokerError

from accounts.models import Organization
from billing.models import Payment
from billing.payments import purchases
from billing.tasks import settle_pending_payments
from config.celery import app as app  # tasks are published through this app
from tests.faults.cast import Cast
from tests.faults.operations import Claim
from tests.faults.running import Running

LONG_AGO = timedelta(minutes=2)  # so old that the sweeps take the payments up
AGAIN_SECONDS = 1.0


class Backlog:
    """Pending payments. `claims` has the effects of settling them."""

    def __init__(self, cast: Cast, size: int, chance: random.Random) -> None:
        customer = chance.choice(cast.customers)
        organization = Organization.objects.get(pk=customer.account)
        begun = [
            purchases.begin(organization, amount=Decimal(chance.randint(50, 999)) / 100, method=None, by="faults")
            for _ in range(size)
        ]
        self.ids: list[UUID] = [payment.pk for payment in begun]
        Payment.objects.filter(pk__in=self.ids).update(next_attempt_at=timezone.now() - LONG_AGO)
        self.claims = [
            Claim("purchase", payment.pk.hex, customer.account, payment.amount, must=True) for payment in begun
        ]

    def left(self) -> int:
        return Payment.objects.filter(pk__in=self.ids, status=Payment.Status.PENDING).count()

    def start(self, running: Running) -> None:
        """Starts a sweep, and waits until it has settled the first payment."""
        is_begun = asking(settle_pending_payments, lambda: self.left() < len(self.ids))
        running.wait_until(is_begun, "the first payment settled")

    def finish(self, running: Running) -> None:
        """Publishes the sweep's task, as the scheduler does, until all payments are settled."""
        connection.close()  # our connection may be to a server that was killed
        running.wait_until(asking(settle_pending_payments, lambda: not self.left()), "all payments settled")


def asking(task: Any, is_done: Callable[[], bool]) -> Callable[[], bool]:
    """Wraps `is_done`: publishes the task first, and again from time to time."""
    due = 0.0

    def check() -> bool:
        nonlocal due
        if time.monotonic() >= due:
            _publish(task)
            due = time.monotonic() + AGAIN_SECONDS
        return is_done()

    return check


def _publish(task: Any) -> None:
    try:
        task.delay()
    except BrokerError:  # Valkey is not back yet
        return
