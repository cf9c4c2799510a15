"""`tollgate-client tail`: each request of a log is reported once, whatever happens to the log and to us."""

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tollgate_client import Client, Spool
from tollgate_client.access_log import FIELDS, Format, Unreadable
from tollgate_client.tail import Tail

from accounts.models import Organization
from billing.models import Hold
from tests import factories
from tests.clients.test_reporter import SOURCE, counted
from tests.usage.metering.batches import balance

FORM = Format()
COMBINED = '203.0.113.9 - - [27/Nov/2026:10:00:00 +0100] "GET /v1/messages?to=1 HTTP/1.1" 502 17 "-" "curl"'
NO_KEY = {"time": "2026-11-27T10:00:00+00:00", "key_id": "", "endpoint": "/", "status": 401, "meter": "requests"}


def line(number: int, **members: Any) -> str:
    event = {"time": "2026-11-27T10:00:00+00:00", "id": f"r-{number}", "organization": "acct_1", "meter": "sms"}
    return json.dumps({**event, "endpoint": f"/{number}", "status": 200, **members}) + "\n"


def spooled(spool: Spool) -> list[str]:
    return [event["id"] for _, event in spool.oldest(100_000)]


def test_a_line_of_json_becomes_an_event() -> None:
    written = line(1, hold="hold_1", endpoint="/v1/messages?to=1", quantity=2.5)
    assert FORM.event(written, "x") == {
        "id": "r-1",
        "organization": "acct_1",
        "meter": "sms",
        "quantity": Decimal("2.5"),
        "endpoint": "/v1/messages",
        "status": "200",
        "occurred_at": "2026-11-27T10:00:00+00:00",
        "hold": "hold_1",
    }


def test_members_may_be_anywhere_in_the_json() -> None:
    fields = {**FIELDS, "endpoint": "request.uri", "occurred_at": "ts", "key_id": "resp_headers.X-Tollgate-Key-Id"}
    written = {"ts": 1795792800.25, "request": {"uri": "/a?b"}, "resp_headers": {"X-Tollgate-Key-Id": ["key_1"]}}
    event = Format({"meter": "sms"}, fields).event(json.dumps(written), "x")
    assert event
    assert (event["id"], event["key_id"], event["endpoint"]) == ("x", "key_1", "/a")
    assert event["occurred_at"] == "2026-11-27T15:20:00.250000+00:00"


def test_the_combined_format_needs_to_know_whose_it_is() -> None:
    assert FORM.event(COMBINED, "x") is None
    event = Format({"organization": "acct_1", "meter": "sms"}).event(COMBINED, "x")
    assert event
    assert (event["endpoint"], event["status"], event["occurred_at"]) == (
        "/v1/messages",
        "502",
        "2026-11-27T10:00:00+01:00",
    )


def test_a_request_of_no_key_is_no_usage() -> None:
    assert FORM.event(json.dumps(NO_KEY), "x") is None


@pytest.mark.parametrize(
    "text", ["{", "GET /", line(1, time="27.11.2026"), line(1, time="2026-11-27T10:00:00"), line(1, time=1e300)]
)
def test_what_is_no_line_of_a_log_says_so(text: str) -> None:
    with pytest.raises(Unreadable):
        FORM.event(text, "x")


def test_a_line_that_cannot_be_read_holds_up_nothing(tmp_path: Path, spool: Spool) -> None:
    log = tmp_path / "access.log"
    log.write_bytes(b"\xff\xfe nonsense\n" + line(1).encode() + b"\n" + line(2).encode())
    tail = Tail(log, spool, FORM)
    assert (tail.catch_up(), tail.unreadable, spooled(spool)) == (2, 1, ["r-1", "r-2"])


@pytest.mark.parametrize("seed", range(12))
def test_each_line_is_spooled_once_however_the_log_is_written_and_rotated(seed: int, tmp_path: Path) -> None:
    """The log comes in pieces of any size. It's rotated and compressed, and we are restarted, at any moment."""
    chance, log, number = random.Random(seed), tmp_path / "access.log", 0
    tail = Tail(log, Spool(tmp_path / "usage.db"), FORM, settled=0)
    while number < 300:
        some = chance.randint(1, 20)
        content = "".join(line(each) for each in range(number, number + some)).encode()
        number += some
        with log.open("ab", buffering=0) as file:
            while content:
                size = chance.randint(1, 1500)
                file.write(content[:size])
                content = content[size:]
                if chance.random() < 0.4:
                    tail.catch_up()
                if chance.random() < 0.2:
                    tail = Tail(log, Spool(tmp_path / "usage.db"), FORM, settled=0)
        if chance.random() < 0.5 and spooled(tail.spool):  # what was rotated before we came is not ours
            rotate(log, chance)
    tail.catch_up()
    assert spooled(tail.spool) == [f"r-{each}" for each in range(number)]


def rotate(log: Path, chance: random.Random) -> None:
    """As logrotate does: the newest is .1, the older ones are compressed, at any moment after."""
    for number in range(60, 0, -1):
        for older in (log.with_name(f"{log.name}.{number}"), log.with_name(f"{log.name}.{number}.gz")):
            if older.exists():
                older.rename(older.with_name(older.name.replace(f".{number}", f".{number + 1}")))
    log.rename(log.with_name(f"{log.name}.1"))
    second = log.with_name(f"{log.name}.2")
    if second.exists() and chance.random() < 0.5:
        with gzip.open(second.with_name(f"{second.name}.gz"), "wb") as file:
            file.write(second.read_bytes())
        changed = second.stat()
        os.utime(second.with_name(f"{second.name}.gz"), ns=(changed.st_atime_ns, changed.st_mtime_ns))
        second.unlink()
    log.touch()


def test_a_rotated_file_that_is_still_written_to_is_read_to_its_end(tmp_path: Path, spool: Spool) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(1))
    tail = Tail(log, spool, FORM, settled=0.3)
    tail.catch_up()
    old = log.rename(tmp_path / "access.log.1")
    log.write_text(line(3))
    tail.catch_up()
    with old.open("a") as file:  # a worker that hasn't changed to the new file yet
        file.write(line(2))
    tail.catch_up()
    assert tail.is_waiting
    time.sleep(0.35)
    tail.catch_up()
    assert spooled(spool) == ["r-1", "r-2", "r-3"]


def test_a_log_that_is_gone_is_told_and_what_is_there_is_read(
    tmp_path: Path, spool: Spool, caplog: pytest.LogCaptureFixture
) -> None:
    log = tmp_path / "access.log"
    log.write_text(line(1))
    Tail(log, spool, FORM).catch_up()
    log.write_text(line(2))
    Tail(log, spool, FORM).catch_up()
    assert spooled(spool) == ["r-1", "r-2"]
    assert "may be missing" in caplog.text


def command(log: Path, spool: Path, address: str, *more: str) -> list[str]:
    return [sys.executable, "-m", "tollgate_client", "tail", str(log), "--url", address, "--spool", str(spool), *more]


def test_the_hold_of_the_door_is_captured_by_the_log(
    address: str, platform_secret: str, client: Client, customer: Organization, tmp_path: Path
) -> None:
    key, secret = factories.key(customer)
    hold = client.verify(secret, meter="voice", quantity=10, hold_seconds=60).hold
    log = tmp_path / "access.log"
    members = {"organization": "", "key_id": key.public_id, "meter": "voice", "quantity": 4, "hold": hold}
    log.write_text(line(1, **members) + json.dumps(NO_KEY) + "\n" + line(2, **{**members, "hold": "", "quantity": 1}))
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TOLLGATE_PLATFORM_KEY": platform_secret}
    for _ in range(2):
        once = command(log, tmp_path / "usage.db", address, "--once")
        subprocess.run(once, env=environment, check=True, timeout=60)
    assert (counted(customer), balance(customer)) == (2, Decimal("99.9"))
    assert [hold.status for hold in Hold.objects.of(customer)] == ["captured"]


def test_killed_again_and_again_it_counts_each_request_once(
    address: str, platform_secret: str, customer: Organization, tmp_path: Path
) -> None:
    log, spool = tmp_path / "access.log", tmp_path / "usage.db"
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "TOLLGATE_PLATFORM_KEY": platform_secret}
    chance, number = random.Random(7), 0
    for _ in range(4):
        process = subprocess.Popen(command(log, spool, address), env=environment, stderr=subprocess.DEVNULL)
        until = time.monotonic() + chance.uniform(0.3, 1.2)
        while time.monotonic() < until:
            with log.open("a") as file:
                file.write(line(number, organization=customer.public_id))
            number += 1
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(command(log, spool, address, "--once"), env=environment, check=True, timeout=60)
    assert counted(customer) == number
