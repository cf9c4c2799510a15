"""A backup is restored into an empty database, proves its books, and charges and sends nothing until it is adopted."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.models import TextField
from django.db.models.expressions import RawSQL
from django.utils import timezone
from psycopg.sql import SQL, Identifier

from accounts import copies, emails
from accounts.models import Email, Installation, Organization
from accounts.webhooks import worker
from billing.payments import gateways
from tests import factories
from usage.storage import diagnosis
from usage.storage.diagnosis import Level

SCRATCH = "tollgate_restored"
SUM = """
from uuid import UUID
from django.db.models import Sum
from billing.models import LedgerEntry
total = lambda payer: LedgerEntry.objects.filter(account=payer).aggregate(sum=Sum("amount"))["sum"]
"""


@pytest.fixture
def committed_database(fresh_database: None) -> None:
    """All books of the backup are proved."""


@pytest.fixture
def customer(committed: None) -> Organization:
    organization = factories.organization()
    factories.credit(organization, 100)
    return organization


@pytest.fixture
def scratch(committed: None) -> Iterator[str]:
    """The address of an empty database on the same server."""
    name = f"{SCRATCH}_{os.getpid()}"
    with connection.cursor() as cursor:
        cursor.execute(SQL("DROP DATABASE IF EXISTS {}").format(Identifier(name)))
        cursor.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    yield urlsplit(settings.DATABASE_URL)._replace(path=f"/{name}").geturl()
    with connection.cursor() as cursor:
        cursor.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def manage(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "DATABASE_URL": url, "DATABASE_OWNER_URL": ""}
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(
        command, cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_a_restored_backup_proves_its_books_and_is_a_copy(customer: Organization, scratch: str, tmp_path: Path) -> None:
    file = tmp_path / "tollgate.dump"
    call_command("backup", str(file))
    assert Installation.objects.get().backed_up_at
    restored = manage(scratch, "restore", str(file))
    assert restored.returncode == 0, restored.stderr
    assert "0 differences" in restored.stdout
    assert "This database is a copy" in restored.stdout

    entries = manage(scratch, "shell", "-v", "0", "-c", f"{SUM}print(total({customer.pk!r}))")
    assert entries.stdout.strip().endswith("100.000000000")
    assert not copies.is_copy()  # the first one

    again = manage(scratch, "restore", str(file))
    assert (again.returncode, "isn't empty" in again.stderr) == (1, True)
    assert manage(scratch, "adopt", "--yes").stdout == "It is the real one.\n"


@pytest.fixture
def copy(db: None) -> None:
    call_command("adopt", "--undo")


@pytest.mark.usefixtures("copy")
def test_a_copy_charges_nothing_and_sends_nothing(organization: Organization, settings: Any) -> None:
    Email.objects.create(template="x", to="a@example.com", context=b"")
    assert emails.send_due({}) == worker.run() == 0
    assert Email.objects.exists()
    gateway = gateways.named("sandbox")
    for verb in ("create", "confirm", "refund", "events", "customer", "retrieve"):
        with pytest.raises(gateways.GatewayMisconfigured, match="This database is a copy"):
            getattr(gateway, verb)
    [finding] = [finding for finding in diagnosis.examine(timezone.now()) if finding.subject == "copy"]
    assert finding.level is Level.FAIL


@pytest.mark.django_db
def test_another_cluster_makes_a_copy_by_itself() -> None:
    Installation.objects.update(system_identifier="1")
    assert copies.is_copy()
    call_command("adopt", "--yes")
    assert not copies.is_copy()


@pytest.mark.django_db
def test_another_timeline_makes_a_copy_by_itself_unless_a_standby_may_take_over(settings: Any) -> None:
    """Every recovery ends with another one: tests/howtos makes one in earnest."""
    assert Installation.objects.get().timeline == "00000001"
    assert not copies.is_copy()
    Installation.objects.update(timeline="00000002")
    assert copies.is_copy()
    settings.DATABASE_FAILOVER = True
    assert not copies.is_copy()
    settings.DATABASE_FAILOVER = False
    call_command("adopt", "--yes")
    assert not copies.is_copy()


@pytest.mark.django_db
def test_where_a_standby_may_take_over_the_settings_of_a_recovery_make_a_copy(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    """`recovery_target_time` can be set only when a server starts: tests/howtos recovers one in earnest."""

    def recovered_to(point: str) -> None:
        setting = RawSQL("current_setting('tollgate.recovered_to')", (), output_field=TextField())
        monkeypatch.setattr(copies, "RECOVERED_TO", setting)
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('tollgate.recovered_to', %s, true)", [point])

    settings.DATABASE_FAILOVER = True
    assert not copies.is_copy()
    recovered_to("2026-11-27 14:05:00+00")
    assert copies.is_copy()
    call_command("adopt", "--yes")
    assert not copies.is_copy()
    recovered_to("2026-11-28 09:00:00+00")  # a rehearsal, from a backup of the adopted one
    assert copies.is_copy()
    recovered_to("")  # the settings were tidied up
    assert not copies.is_copy()


@pytest.mark.usefixtures("copy")
def test_adopting_asks_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda question: "y")
    with pytest.raises(CommandError, match="Nothing was changed"):
        call_command("adopt")
    assert copies.is_copy()


@pytest.mark.django_db
def test_a_backup_that_fails_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "tollgate.dump"
    file.write_text("the one before")
    monkeypatch.setitem(connection.settings_dict, "PORT", "9")
    monkeypatch.setitem(connection.settings_dict, "HOST", "127.0.0.1")
    with pytest.raises(CommandError, match="pg_dump"):
        call_command("backup", str(file))
    assert file.read_text() == "the one before"
    assert Installation.objects.get().backed_up_at is None
