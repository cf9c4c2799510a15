"""manage.py distribute. All but the first run on a Citus cluster alone: CITUS_DATABASE_URL names its coordinator."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from accounts.lib import distribution
from apikeys.models import ApiKey
from billing.ledger import holds, posting, seals
from tests import cluster, factories, template
from tests.config.upgrades import databases
from tests.usage.metering.batches import event, record
from usage.storage import closing, distributing, reconciliation

on_a_cluster = pytest.mark.skipif(not cluster.URL, reason=cluster.MISSING)
COUNTS = {table: f"SELECT count(*) FROM {table}" for table in distributing.HOT}


@pytest.mark.skipif(bool(cluster.URL), reason="the database is one of Citus")
def test_without_citus_it_says_so_and_changes_nothing(db: None) -> None:
    with pytest.raises(CommandError, match="no Citus extension"):
        call_command("distribute")
    assert not distribution.is_distributed()
    assert not distributing.is_unfinished()


@pytest.fixture
def filled(django_db_setup: None, django_db_blocker: Any) -> Iterator[dict[str, int]]:
    """An installation on the cluster with two customers and their data, before its tables are distributed."""
    with (
        django_db_blocker.unblock(),
        databases.created("filled", template.name(), distributed=False) as name,
        databases.connected(name),
    ):
        distribution.forget()
        for _ in range(2):
            payer = factories.organization()
            factories.credit(payer, Decimal(100))
            key, _ = factories.key(payer)
            holds.place(payer, amount=Decimal(2), ttl=timedelta(minutes=5), now=timezone.now(), key=key)
            record(*(event(key, id=f"{payer}-{n}") for n in range(10)))
        seals.sweep(timezone.now(), everybody=True)
        yield _counts()
    distribution.forget()


def _counts() -> dict[str, int]:
    return {table: databases.run(statement)[0][0] for table, statement in COUNTS.items()}


@on_a_cluster
def test_a_dry_run_changes_nothing(filled: dict[str, int]) -> None:
    call_command("distribute", "--dry-run", stdout=StringIO())
    assert not distributing.is_unfinished()
    assert not distribution.is_distributed()


@on_a_cluster
def test_killed_half_way_and_run_again_it_has_moved_every_row(filled: dict[str, int]) -> None:
    command = [sys.executable, str(settings.BASE_DIR / "manage.py"), "distribute"]
    url = cluster.URL.rpartition("/")[0] + "/" + connection.settings_dict["NAME"]
    environment = {**os.environ, "DATABASE_URL": url, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for line in process.stdout:
            if "billing_hold" in line:
                process.send_signal(signal.SIGKILL)
                break
    assert process.wait() == -signal.SIGKILL
    assert distributing.is_unfinished()
    call_command("distribute", stdout=StringIO())
    assert next(distributing.steps(), None) is None
    connection.close()  # the settings of the database are those of new connections
    assert distribution.is_distributed()
    assert _counts() == filled
    assert reconciliation.run() == []
    later = timezone.now() + timedelta(days=32)
    assert [len(closing.close_ended(payers, later)) for payers in closing.batches(later)] == [1, 1]
    assert reconciliation.run() == []


@on_a_cluster
def test_while_a_machine_is_lost_the_payers_of_the_others_go_on(filled: dict[str, int]) -> None:
    call_command("distribute", stdout=StringIO())
    connection.close()
    keys: dict[int, ApiKey] = {}
    while len(keys) < 2:
        payer = factories.organization()
        factories.credit(payer, Decimal(100))
        keys.setdefault(cluster.port_of(payer.pk), factories.key(payer)[0])
    (port, lost), (_, kept) = keys.items()
    for key in (lost, kept):
        _use(key, "before")
    with cluster.lost(connection.settings_dict["NAME"], port):
        for n in range(7):  # after the fifth time, PostgreSQL and Citus use a plan without the payer
            _use(kept, f"meanwhile {n}")
        with pytest.raises(OperationalError):
            _use(lost, "meanwhile")
    connection.close()
    _use(lost, "after")
    assert reconciliation.run() == []


def _use(key: ApiKey, id: str) -> None:
    """Use that a payer pays for in every way: directly, by holds that are captured, released, used and expired."""
    payer, now = key.organization, timezone.now()
    assert payer
    factories.credit(payer, Decimal(1))
    posting.debit(payer.pk, kind=posting.Kind.SUBSCRIPTION, amount=Decimal("0.1"), now=now)
    seconds = (60, 60, 60, 0)
    placed = [holds.place(payer, amount=Decimal(1), ttl=timedelta(seconds=n), now=now, key=key) for n in seconds]
    holds.capture(placed[0], Decimal("0.5"), now=now)
    holds.release(placed[1], now=now)
    posting.current(payer.pk, now)
    results = record(event(key, id=id), event(key, id=f"{id} with a hold", hold=placed[2].public_id))
    assert [result.result for result in results] == ["accepted", "accepted"]


@on_a_cluster
@pytest.mark.parametrize(
    "statement",
    ["UPDATE billing_ledgerentry SET amount = 1", "DELETE FROM usage_event", "TRUNCATE billing_ledgerentry"],
)
def test_what_is_append_only_stays_so_on_every_machine(funded: Any, statement: str) -> None:
    key, _ = factories.key(funded)
    record(event(key))
    with pytest.raises(IntegrityError, match="append-only"):
        databases.run(statement)
