"""Reporting usage: nothing that was written down is lost, and nothing counts twice."""

import os
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from tollgate_client import Client, Reporter, Spool, Unreachable

from accounts.models import Organization
from tests.clients.flaky import losing, saying
from tests.usage.metering.batches import balance
from usage.models import UsageEvent

SOURCE = Path(__file__).resolve().parent.parent.parent / "clients" / "python" / "src"

DYING = """
import os, signal, sys
from tollgate_client import Client, Reporter, Spool
address, secret, path, organization = sys.argv[1:]
reporter = Reporter(Client(address, secret, retries=0), Spool(path), every=0.01)
for n in range(500):
    reporter.report(id=f"call-{n}", organization=organization, meter="sms")
os.kill(os.getpid(), signal.SIGKILL)
"""


def counted(organization: Organization) -> int:
    return UsageEvent.objects.of(organization).count()


def test_what_is_reported_arrives_by_itself(client: Client, spool: Spool, customer: Organization) -> None:
    with Reporter(client, spool, every=0.05) as reporter:
        reporter.report(organization=customer.public_id, meter="sms", quantity=Decimal("1.5"))
    assert balance(customer) == Decimal("99.985")
    assert spool.waiting() == 0


def test_reporting_twice_counts_once(client: Client, spool: Spool, customer: Organization) -> None:
    with Reporter(client, spool, every=60) as reporter:
        for _ in range(2):
            reporter.report(id="call-1", organization=customer.public_id, meter="sms")
            reporter.flush()
    assert counted(customer) == 1


def test_while_cut_off_usage_waits(platform_secret: str, client: Client, spool: Spool, customer: Organization) -> None:
    nowhere = Client("http://127.0.0.1:9", platform_secret, retries=0)
    with Reporter(nowhere, spool, every=60) as reporter:
        reporter.report(organization=customer.public_id, meter="sms")
        with pytest.raises(Unreachable):
            reporter.flush()
    assert spool.waiting() == 1
    with Reporter(client, spool, every=60) as reporter:
        assert reporter.flush() == 1
    assert counted(customer) == 1


def test_a_lost_answer_sends_it_again_and_counts_it_once(
    address: str, platform_secret: str, spool: Spool, customer: Organization
) -> None:
    with losing(address, answers=1) as lossy:
        lossy_client = Client(lossy, platform_secret, retries=0)
        with Reporter(lossy_client, spool, every=60) as reporter:
            reporter.report(organization=customer.public_id, meter="sms")
            with pytest.raises(Unreachable):
                reporter.flush()
            reporter.flush()
    assert (counted(customer), spool.waiting()) == (1, 0)


def test_what_is_rejected_is_kept_aside_with_the_reason(client: Client, spool: Spool, customer: Organization) -> None:
    with Reporter(client, spool, every=60) as reporter:
        reporter.report(id="bad", organization=customer.public_id, meter="faxes")
        reporter.report(id="good", organization=customer.public_id, meter="sms")
    [(event, code, detail)] = spool.rejected()
    assert (event["id"], code, detail) == ("bad", "unknown_meter", "meter: There is no such meter.")
    assert counted(customer) == 1


def test_a_batch_that_is_too_large_is_sent_in_parts(client: Client, spool: Spool, customer: Organization) -> None:
    fields = {"organization": customer.public_id, "meter": "sms", "properties": {"text": "x" * 6000}}
    spool.add([{"id": f"large-{n}", **fields} for n in range(800)])
    with Reporter(client, spool, every=60) as reporter:
        reporter.flush()
    assert (counted(customer), spool.waiting()) == (800, 0)


def test_what_no_json_can_say_is_refused_at_once(client: Client, spool: Spool, customer: Organization) -> None:
    with Reporter(client, spool, every=60) as reporter, pytest.raises(ValueError, match="JSON"):
        reporter.report(organization=customer.public_id, meter="sms", quantity=float("nan"))
    assert spool.waiting() == 0


def test_an_answer_of_somebody_else_stops_nothing(client: Client, spool: Spool, customer: Organization) -> None:
    with saying(b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 2\r\n\r\n[]") as elsewhere:
        ours, client.url = client.url, elsewhere
        with Reporter(client, spool, every=0.05) as reporter:
            reporter.report(organization=customer.public_id, meter="sms")
            time.sleep(0.2)
            client.url = ours
    assert (counted(customer), spool.waiting()) == (1, 0)


def test_a_gateway_that_is_killed_loses_nothing(
    address: str, platform_secret: str, client: Client, customer: Organization, tmp_path: Path
) -> None:
    path = tmp_path / "usage.db"
    arguments = [address, platform_secret, str(path), customer.public_id]
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    killed = subprocess.run([sys.executable, "-c", DYING, *arguments], env=environment, timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL
    with Reporter(client, Spool(path), every=60) as reporter:
        reporter.flush()
    assert counted(customer) == 500
    assert balance(customer) == 95
