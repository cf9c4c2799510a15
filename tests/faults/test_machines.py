"""Two of everything: beats that start each task twice, workers that run it at once, web servers that share customers.

MACHINES=1 runs it, as `make faults` does; RABBITMQ_URL=amqp://… does it with RabbitMQ as the broker.
"""

import json
import os
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.utils import timezone

from accounts import emails
from accounts.models import Organization
from billing.models import LedgerEntry, Payment, SandboxObject
from tests import factories
from tests.billing.invoicing import subscribing
from tests.billing.payments.recharging import bought, switch_on
from tests.config.web.conftest import Server, request
from tests.faults.machines import BEAT, WORKER, Machine, running, until

pytestmark = [
    pytest.mark.skipif("MACHINES" not in os.environ, reason="set MACHINES=1: it takes a minute"),
    pytest.mark.usefixtures("committed"),
]
PAYERS = 8
SWEEP = "billing.tasks.recharge_accounts"


def redis_url() -> str:
    """A database of Redis that no other test uses."""
    return f"{settings.REDIS_URL.partition('?')[0]}?db=15"


@pytest.fixture
def payers() -> list[Organization]:
    """Each is to be recharged, to pay for the periods of its plan that have ended since, and to get an email."""
    plan = subscribing.plan(factories.unique("machines"), 5)
    return [due(plan.slug) for _ in range(PAYERS)]


def due(plan: str) -> Organization:
    organization = factories.organization()
    factories.card(organization)
    factories.credit(organization, 100)
    subscribing.subscribe(organization, plan)
    switch_on(organization, threshold=Decimal(200), target=Decimal(500))
    invite(organization)
    return organization


def invite(organization: Organization) -> None:
    emails.queue("message", to=f"{organization.public_id}@example.com", context={"subject": "Due", "body": "Once."})


def letters(folder: Path) -> list[str]:
    """The addresses of what `invite` queued and was sent, sorted. Receipts go out as well."""
    text = "".join(path.read_text() for path in folder.glob("mail/*"))
    return sorted(re.findall(r"^To: (acct_\S+)$", text, re.MULTILINE))


def addresses(payers: list[Organization], times: int = 1) -> list[str]:
    return sorted([f"{payer.public_id}@example.com" for payer in payers] * times)


def runs(machine: Machine) -> Counter[str]:
    return Counter(re.findall(r"Task (\S+)\[[^]]+\] received", machine.log("worker")))


def is_renewed(payer: Organization) -> bool:
    return subscribing.taken(payer).current_period_end > timezone.now()


def check(payers: list[Organization]) -> None:
    """One charge at the gateway for each, one fee for each period, and books that agree."""
    for payer in payers:
        payments = Payment.objects.of(payer).filter(purpose="recharge")
        assert [payment.status for payment in payments] == ["succeeded"]
        assert len(bought(payer)) == 1
        assert subscribing.fees(payer) == [Decimal(5)] * len(subscribing.stretches(payer))
        assert len(subscribing.stretches(payer)) == len(set(subscribing.stretches(payer)))
    charges = SandboxObject.objects.filter(kind="intent", idempotency_key__isnull=False)
    assert charges.count() == Payment.objects.count()
    call_command("check_ledger")


def ingest(server: Server, key: str, body: bytes) -> Any:
    answer = server.send(request("POST", "/v1/usage/events", f"Authorization: Bearer {key}", body=body))
    return json.loads(answer.partition(b"\r\n\r\n")[2])


def test_two_of_everything_do_nothing_twice(tmp_path: Path, second_database: str, payers: list[Organization]) -> None:
    rabbit = {"CELERY_BROKER_URL": url} if (url := os.environ.get("RABBITMQ_URL")) else {}
    with running(tmp_path, second_database, redis_url(), **rabbit) as machines:
        for machine in machines:
            machine.start("worker", *WORKER, "--hostname", f"{machine.folder.name}@%h")
            machine.start("beat", *BEAT)
        until(lambda: all(map(is_renewed, payers)) and all(map(bought, payers)), "renewed and recharged")
        until(lambda: all(runs(machine)[SWEEP] for machine in machines), "both workers sweep")
        until(lambda: letters(tmp_path) == addresses(payers), "emails")
        assert sum(runs(machine)[SWEEP] for machine in machines) > 2, "both beats start it"
        check(payers)

        first, _ = machines
        first.kill("beat")
        first.kill("worker")
        for payer in payers:
            invite(payer)
        until(lambda: letters(tmp_path) == addresses(payers, 2), "emails without the first machine")
        check(payers)


def test_web_servers_of_two_machines_count_an_event_once(tmp_path: Path, second_database: str) -> None:
    organization, key = factories.organization(), factories.platform_key()
    events = [{"id": f"e{n}", "organization": organization.public_id, "meter": "sms"} for n in range(500)]
    body = json.dumps({"events": events}).encode()
    with (
        running(tmp_path, second_database, redis_url()) as (machine, other),
        machine.serve(second_database) as first,
        other.serve(second_database) as second,
        ThreadPoolExecutor(4) as threads,
    ):
        answers = list(threads.map(lambda server: ingest(server, key, body), [first, second, first, second]))
    assert sum(answer["accepted"] for answer in answers) == 500
    assert sum(answer["duplicate"] for answer in answers) == 1500
    assert LedgerEntry.objects.of(organization).count() == 1
