"""Imports that are killed, and imports of one file at once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest
from django.db import connection

from accounts.models import Organization
from billing.models import LedgerEntry
from tests.concurrency import race
from usage.customer_import import lines, running
from usage.customer_import.running import LineResult
from usage.models import ImportedRow, ImportedUsage

ROOT = Path(__file__).resolve().parents[3]
KILLS = int(os.environ.get("IMPORT_KILLS", "1"))
CUSTOMERS = 40 * KILLS

pytestmark = pytest.mark.usefixtures("committed")


def rows(prefix: str, number: int) -> list[dict[str, Any]]:
    """Customers with a balance each, two rows a customer."""
    ids = [f"{prefix}-{n}" for n in range(number)]
    organizations = [{"type": "organization", "id": id, "name": id} for id in ids]
    balances = [{"type": "balance", "id": id, "organization": id, "amount": 1} for id in ids]
    return [row for pair in zip(organizations, balances, strict=True) for row in pair]


@pytest.fixture
def prefix() -> str:
    return uuid4().hex


@pytest.fixture
def file(tmp_path: Path, prefix: str) -> Path:
    path = tmp_path / "customers.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows(prefix, CUSTOMERS)))
    return path


def start(file: Path) -> subprocess.Popen[bytes]:
    """The real command in a process of its own, on the tests' database."""
    database = connection.settings_dict
    host, port = (str(database["OPTIONS"].get(name) or database[name.upper()]) for name in ("host", "port"))
    url = f"postgres://{database['USER']}@/{database['NAME']}?host={quote(host, safe='')}&port={port}"
    return subprocess.Popen(
        [sys.executable, "manage.py", "import_customers", file],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def imported(prefix: str) -> int:
    return ImportedRow.objects.filter(external_id__startswith=prefix).count()


def figures(prefix: str) -> tuple[int, int]:
    made = Organization.objects.filter(name__startswith=prefix)
    return made.count(), LedgerEntry.objects.filter(account__in=made.values("pk")).count()


def test_an_import_that_is_killed_goes_on_where_it_stopped(file: Path, prefix: str) -> None:
    """IMPORT_KILLS=20 kills it so often."""
    for _ in range(KILLS):
        before, process, deadline = imported(prefix), start(file), time.monotonic() + 60
        while imported(prefix) < before + 5:
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert imported(prefix) < 2 * CUSTOMERS

    results = Counter(outcome.result for outcome in running.run(lines.read(file)))

    new = results[LineResult.NEW]
    assert results == {LineResult.KNOWN: 2 * CUSTOMERS - new, LineResult.NEW: new}
    assert new
    assert figures(prefix) == (CUSTOMERS, CUSTOMERS)


def import_here(path: Path) -> list[str]:
    return [outcome.result for outcome in running.run(lines.read(path))]


def small(tmp_path: Path, prefix: str) -> Path:
    """Past usage of one customer, which is imported already."""
    path = tmp_path / "small.jsonl"
    used = {"type": "usage", "organization": prefix, "period": "2026-09", "meter": "sms", "requests": 1}
    made = [
        {"type": "organization", "id": prefix, "name": prefix},
        *({**used, "id": f"{prefix}{n}"} for n in range(10)),
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in made))
    next(running.run(lines.read(path)))
    return path


def used(prefix: str) -> int:
    return ImportedUsage.objects.filter(organization__name=prefix).count()


def test_two_imports_at_once_import_each_line_once(tmp_path: Path, prefix: str) -> None:
    results = race([partial(import_here, small(tmp_path, prefix))] * 2)
    assert sorted(map(sorted, zip(*results, strict=True))) == [*[["known", "new"]] * 10, ["known", "known"]][::-1]
    assert used(prefix) == 10


def test_without_the_note_of_each_line_they_would_not(
    tmp_path: Path, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = small(tmp_path, prefix)
    monkeypatch.setattr(ImportedRow.objects, "create", lambda **fields: None)
    race([partial(import_here, path)] * 2)
    assert used(prefix) == 20
    ImportedUsage.objects.filter(organization__name=prefix).delete()
