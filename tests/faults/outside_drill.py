"""What users get while the payment gateway, the mail server or a receiver of webhooks hangs, and what comes after."""

import time
from collections import Counter
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from django.db import connection

from accounts import scopes
from accounts.models import Delivery
from accounts.webhooks import endpoints
from billing.models import LedgerEntry, Payment
from tests import factories
from tests.billing.payments import conservation
from tests.faults.clients import Reply, ask
from tests.faults.operations import Ticket
from tests.faults.program import conclude, conduct, say
from tests.faults.running import Running
from tests.killing import stopped
from tests.stripe.process import StandIn
from usage.storage import reconciliation

if TYPE_CHECKING:
    from tests.faults.outside import Sink

GATEWAY = "the payment gateway"
PAUSE_SECONDS = 2.0
PROMPT_SECONDS = 6.0  # that of a request, and a little for a busy machine
RECOVERED_SECONDS = 300
PRICE = 25


class Drill:
    """Sends the same four requests again and again, with new ids, while each part hangs."""

    def __init__(self, stand_in: StandIn, mail: "Sink", webhooks: "Sink", port: int, log: Path) -> None:
        self.stand_in, self.mail, self.webhooks, self.port, self.log = stand_in, mail, webhooks, port, log
        self.numbers = count(1)
        self.invited: list[str] = []
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0

    def run(self, seconds: float) -> int:
        """Returns the exit code."""

        def work(running: Running) -> int:
            self.prepare()
            problems = []
            for name, pid in self.parts():
                problems += self.without(name, pid, seconds, running)
            return conclude(problems, "nothing was lost or doubled, and the books agree")

        return conduct(self.port, self.log, work)

    def parts(self) -> list[tuple[str, int]]:
        pids = [self.stand_in.process.pid, self.mail.pid, self.webhooks.pid]
        return list(zip((GATEWAY, "the mail server", "a receiver of webhooks"), pids, strict=True))

    def prepare(self) -> None:
        owner = factories.user("outside")
        assert owner.current_organization
        self.organization = owner.current_organization
        factories.card(self.organization)
        _, self.secret = factories.key(self.organization, created_by=owner, permissions=sorted(scopes.BY_ROLE["owner"]))
        self.platform = factories.platform_key()
        params = {"url": f"http://127.0.0.1:{self.webhooks.port}/", "event_types": ["*"]}
        endpoints.create(self.organization, params, scopes=scopes.ALL)

    def without(self, name: str, pid: int, seconds: float, running: Running) -> list[str]:
        """Problems while the part hangs and afterwards."""
        self.answers.clear()
        self.slowest, began = 0.0, time.monotonic()
        with stopped(pid):
            while time.monotonic() < began + seconds:
                self.ask_for_everything()
                time.sleep(PAUSE_SECONDS)
        began = time.monotonic()
        running.wait_until(self.is_done, f"all done after {name} hung", RECOVERED_SECONDS)
        say(f"without {name}: {dict(sorted(self.answers.items()))}, the slowest {self.slowest:.1f} s")
        say(f"  all of it was done {time.monotonic() - began:.0f} s after it answered again")
        return [*self.surprises(name), *self.doubled()]

    def ask_for_everything(self) -> None:
        number = next(self.numbers)
        address = f"guest-{number}@example.com"
        usage = {"id": f"outside-{number}", "organization": self.organization.public_id, "meter": "requests"}
        tickets = {
            "read": Ticket("/v1/account", self.secret),
            "usage": Ticket("/v1/usage/events", self.platform, usage),
            "invitation": Ticket("/v1/invitations", self.secret, {"email": address, "role": "viewer"}),
            "purchase": Ticket("/v1/credits/purchases", self.secret, {"amount": PRICE}, f"outside-{number}"),
        }
        for name, ticket in tickets.items():
            began = time.monotonic()
            reply = ask(self.port, ticket, timeout=60)
            self.slowest = max(self.slowest, time.monotonic() - began)
            self.answers[f"{name} {self._said(reply)}"] += 1
            if (name, reply.status) == ("invitation", 201):
                self.invited.append(address)

    def _said(self, reply: Reply) -> str:
        return f"{reply.status} {reply.answer.get('code') or reply.answer.get('status', '')}".strip()

    def is_done(self) -> bool:
        time.sleep(1)
        connection.close()
        waiting: list[Callable[[], object]] = [
            lambda: Payment.objects.of(self.organization).filter(status__in=Payment.OPEN).exists(),
            lambda: set(self.invited) - set(self.mail.taken),
            lambda: Delivery.objects.exclude(status=Delivery.Status.SUCCEEDED).exists(),
        ]
        return not any(is_waiting() for is_waiting in waiting)

    def surprises(self, name: str) -> list[str]:
        """Only a purchase may be answered in another way than usual, and only while the gateway hangs."""
        usual = {"read 200", "usage 200", "invitation 201 pending", "purchase 201 succeeded"}
        late = {"purchase 201 pending"} if name == GATEWAY else set()
        wrong = [f"without {name}: {answer}" for answer in self.answers if answer not in usual | late]
        if late and not late & set(self.answers):
            wrong.append(f"without {name}: no purchase had to wait, so it didn't hang")
        return wrong + [f"without {name}: {self.slowest:.1f} s"] * (self.slowest > PROMPT_SECONDS)

    def doubled(self) -> list[str]:
        """Emails and webhooks may come twice where the answer was lost; money never."""
        bought = LedgerEntry.objects.of(self.organization).filter(kind="purchase").count()
        paid = Payment.objects.of(self.organization).filter(status=Payment.Status.SUCCEEDED).count()
        wrong = conservation.differences(self.stand_in) + [str(finding) for finding in reconciliation.run()]
        return wrong + [f"{paid} payments, {bought} entries"] * (bought != paid)
