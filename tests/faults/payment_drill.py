"""Payments that are interrupted by kill -9 while the stand-in for Stripe holds one of their calls."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from django.db import connection
from django.utils import timezone

from accounts.models import Organization
from billing.models import LedgerEntry, Payment
from billing.payments import gateways, inbound, payments, purchases
from billing.tasks import settle_pending_payments
from tests import factories
from tests.billing.payments import conservation
from tests.billing.payments.recharging import switch_on
from tests.faults import processes
from tests.faults.backlog import asking
from tests.faults.clients import ask
from tests.faults.operations import Ticket
from tests.faults.processes import CELERY, WEB_SERVER, Role
from tests.faults.program import conclude, conduct, say
from tests.faults.running import Loss, Running
from tests.stripe.process import StandIn
from usage.storage import reconciliation

HELD_SECONDS = 2.0  # long enough to be killed in, and shorter than the client waits
# The last step that had an effect, and how the stand-in holds whoever takes the next one.
POINTS = {
    "row": ("payment_intents.create", "held"),
    "create": ("payment_intents.create", "late"),
    "stored id": ("payment_intents.confirm", "held"),
    "confirm": ("payment_intents.confirm", "late"),
}
OF_REFUNDS = {"row of a refund": ("refunds.create", "held"), "refund": ("refunds.create", "late")}


def run(stand_in: StandIn, port: int, log: Path, rounds: int) -> int:
    """Returns the exit code."""

    def work(running: Running) -> int:
        drill = Drill(stand_in, running)
        for number in range(1, rounds + 1):
            for name, step in drill.steps():
                say(f"{number:3}  {name:34}  settled {step():5.1f} s after the kill")
        return conclude(drill.problems(), "each card charged once, each balance credited once, the books agree")

    return conduct(port, log, work)


@dataclass
class Customer:
    """An organization with a card at the stand-in, and what it should have bought and got back in the end."""

    organization: Organization
    secret: str
    bought: int
    back: int = 0


class Drill:
    def __init__(self, stand_in: StandIn, running: Running) -> None:
        self.stand_in, self.running, self.platform = stand_in, running, factories.platform_key()
        self.customers: list[Customer] = []

    def steps(self) -> Iterator[tuple[str, Callable[[], float]]]:
        """Each returns the seconds from the kill until the money was settled."""
        for after, point in POINTS.items():
            yield f"web, after the {after}", partial(self.purchase, *point)
            yield f"worker, after the {after}", partial(self.recharge, *point)
        for after, point in OF_REFUNDS.items():
            yield f"web, after the {after}", partial(self.refund, *point)

    def purchase(self, call: str, kind: str) -> float:
        """The client sends it again until it is answered."""
        customer = self._customer(25)
        return self._killed(Ticket("/v1/credits/purchases", customer.secret, {"amount": 25}, self._key()), call, kind)

    def refund(self, call: str, kind: str) -> float:
        customer = self._customer(25)
        customer.back = 25
        begun = purchases.begin(customer.organization, amount=Decimal(25), method=None, by="drill")
        payment = payments.complete(begun.pk)
        path = f"/v1/payments/{payment.public_id}/refunds"
        return self._killed(Ticket(path, self.platform, {"reason": "Drill"}, self._key()), call, kind)

    def recharge(self, call: str, kind: str) -> float:
        """The posting that crosses the threshold wakes it. After the kill, the sweep ends it."""
        customer = self._customer(50)
        factories.credit(customer.organization, 100)
        switch_on(customer.organization)
        self.running.rest(CELERY)
        self.stand_in.fault(call, kind, seconds=HELD_SECONDS)
        earlier = len(self.stand_in.calls())
        usage = {"organization": customer.organization.public_id, "meter": "requests", "quantity": 90_000}
        ticket = Ticket("/v1/usage/events", self.platform, {"id": self._key(), **usage})
        self.running.wait_until(lambda: ask(self.running.port, ticket).status == 200, "the usage recorded")
        began = self._kill_at(call, CELERY, earlier)
        unsettled = Payment.objects.of(customer.organization).filter(status__in=Payment.OPEN)

        def is_settled() -> bool:
            unsettled.update(next_attempt_at=timezone.now())  # so that it need not wait for a minute
            return not unsettled.exists()

        self.running.wait_until(asking(settle_pending_payments, is_settled), "the recharge settled")
        return time.monotonic() - began

    def _customer(self, bought: int) -> Customer:
        connection.close()  # it may be to a server that was killed
        owner = factories.user("drill")
        organization = owner.current_organization
        assert organization
        factories.card(organization)
        permissions = ["credits:read", "credits:write"]
        _, secret = factories.key(organization, created_by=owner, permissions=permissions)
        self.customers.append(Customer(organization, secret, bought))
        return self.customers[-1]

    def _key(self) -> str:
        return f"drill-{len(self.customers)}"

    def _killed(self, ticket: Ticket, call: str, kind: str) -> float:
        """Send a request, kill the web server while it waits for Stripe, and send it again."""
        self.running.rest(WEB_SERVER)
        self.stand_in.fault(call, kind, seconds=HELD_SECONDS)
        earlier = len(self.stand_in.calls())
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(ask, self.running.port, ticket)
            began = self._kill_at(call, WEB_SERVER, earlier)
            assert not first.result().status, "It was answered before the kill."
        self.running.wait_until(lambda: ask(self.running.port, ticket).status == 201, "the second answer")
        return time.monotonic() - began

    def _kill_at(self, call: str, role: Role, earlier: int) -> float:
        """Kill all of the role's processes as soon as the stand-in has got the call. Returns when they are back."""

        def is_called() -> bool:
            return call in [each["name"] for each in self.stand_in.calls()[earlier:]]

        self.running.wait_until(is_called, f"a call of {call}")
        victims = role.members(self.running.process.pid)
        processes.kill(victims)
        self.running.killed_at[role.name] = began = time.monotonic()
        Loss(self.running, role, frozenset(victims)).recovered()
        return began

    def problems(self) -> list[str]:
        inbound.poll(gateways.named("stripe"), timezone.now())
        inbound.sweep(timezone.now())
        wrong = conservation.differences(self.stand_in) + [str(finding) for finding in reconciliation.run()]
        for customer in self.customers:
            entries = LedgerEntry.objects.of(customer.organization)
            bought: list[Any] = list(entries.filter(kind="purchase").values_list("amount", flat=True))
            back: list[Any] = list(entries.filter(kind="refund").values_list("amount", flat=True))
            number = Payment.objects.of(customer.organization).count()
            if (bought, back, number) != ([customer.bought], [-customer.back] * bool(customer.back), 1):
                wrong.append(f"{customer.organization} bought {bought}, got back {back}, by {number} payments")
        return wrong
