"""Imports that are killed, and imports of one file at once."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from urllib.parse import quote

import pytest
from django.db import connection, transaction

from accounts.models import Organization
from billing.models import Meter
from tests import factories
from tests.concurrency import race
from tests.usage.metering.batches import balance, usage_entries
from tests.usage.metering.logs import lines, write
from usage.metering import importing, log_files
from usage.models import ImportedFile, UsageEvent
from usage.storage import reconciliation

ROOT = Path(__file__).resolve().parents[3]
LINES = 5000

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture
def organization(committed: None) -> Organization:
    return factories.organization()


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return write(tmp_path / "access.log", lines(LINES))


def start(log: Path, organization: Organization) -> subprocess.Popen[bytes]:
    """The real command in a process of its own, on the tests' database."""
    database = connection.settings_dict
    host, port = (str(database["OPTIONS"].get(name) or database[name.upper()]) for name in ("host", "port"))
    url = f"postgres://{database['USER']}@/{database['NAME']}?host={quote(host, safe='')}&port={port}"
    return subprocess.Popen(
        [
            sys.executable,
            "manage.py",
            "import_access_log",
            log,
            "--meter=requests",
            f"--organization={organization.public_id}",
        ],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def progress(organization: Organization) -> int:
    return sum(ImportedFile.objects.of(organization).values_list("lines_read", flat=True))


def somebody_waits_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def import_here(log: Path, organization: Organization) -> importing.Summary:
    requests = Meter.objects.get(slug="requests")
    with log_files.opened(log) as file:
        return importing.run(file, importing.survey(file, importing.Log(log.name, organization, requests)))


def test_an_import_killed_in_the_middle_of_a_batch_goes_on_where_it_stopped(
    log: Path, organization: Organization
) -> None:
    """Killed with -9 when a batch is inserted, folded and posted, and about to be committed."""
    command = start(log, organization)
    wait_until(lambda: progress(organization) >= 1000)
    with transaction.atomic():
        ImportedFile.objects.of(organization).select_for_update().get()
        wait_until(somebody_waits_for_a_lock)
        os.kill(command.pid, signal.SIGKILL)
        assert command.wait() == -signal.SIGKILL
        read = progress(organization)
        assert UsageEvent.objects.of(organization).count() == read < LINES
    summary = import_here(log, organization)
    assert (summary.accepted, summary.already_counted) == (LINES - read, read)
    assert UsageEvent.objects.of(organization).count() == LINES
    assert [amount for _, amount in usage_entries(organization)] == [-1] * 5
    assert reconciliation.run() == []


def test_of_two_imports_at_once_each_line_is_counted_once(log: Path, organization: Organization) -> None:
    """Guarded twice: by the payer's lock, and by the ids of the events."""
    summaries = race([partial(import_here, log, organization)] * 2)
    assert sum(summary.accepted for summary in summaries) == LINES
    assert [summary.readable for summary in summaries] == [LINES] * 2
    assert balance(organization) == -5


def test_plain_and_gzipped_at_once_are_one_file(log: Path, organization: Organization) -> None:
    packed = write(log.with_suffix(".gz"), lines(LINES))
    race([partial(import_here, path, organization) for path in (log, packed)])
    assert ImportedFile.objects.of(organization).get().events == LINES
    assert balance(organization) == -5
