"""Migrations of an installation that is in use: its database is full, and a run may be killed at any moment."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from billing.ledger import posting
from billing.models import Grant
from usage.storage import reconciliation

OWN = ("accounts", "apikeys", "billing", "usage")
BEFORE_LOTS = [
    ("accounts", "0004_sign_in_password"),
    ("apikeys", "0002_networks_and_rate_limits"),
    ("billing", "0006_removed_cards"),
    ("usage", "0002_usage_events"),
]

EVENT = """
INSERT INTO usage_event (organization_id, id, account_id, key_id, meter_id, environment, endpoint, quantity, failed,
                         credits, entry_seq, occurred_at, recorded_at, properties)
VALUES (%s, 'e1', %s, %s, %s, 'live', '/sms', 300, false, 3, %s, %s, %s, '{}')
"""


def run(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture
def scratch(committed: None) -> Iterator[None]:
    """An empty database, which is the one that all speak to meanwhile."""
    usual = connection.settings_dict["NAME"]
    name = f"{usual}_upgrade"
    run(f'DROP DATABASE IF EXISTS "{name}"')
    run(f'CREATE DATABASE "{name}"')
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual
        run(f'DROP DATABASE "{name}" WITH (FORCE)')


def migrate(*targets: tuple[str, str]) -> Any:
    """The models as they are then; without a target, as they are now."""
    executor = MigrationExecutor(connection)
    newest = [node for node in executor.loader.graph.leaf_nodes() if node[0] in OWN]
    return executor.migrate(list(targets) or newest).apps


def payer(apps: Any, *amounts: int) -> UUID:
    """A root with a ledger of its own. Negative amounts are usage, positive ones credits of both sorts."""
    root, now = uuid4(), timezone.now()
    about = {"auth_id": root.hex[:20], "name": "Old", "timezone": "Asia/Kathmandu"}
    apps.get_model("accounts", "Organization").objects.create(id=root, root_id=root, path=[root], **about)
    balance = Decimal(sum(amounts))
    apps.get_model("billing", "LedgerAccount").objects.create(organization_id=root, balance=balance, seq=len(amounts))
    for seq, amount in enumerate(amounts, 1):
        kind = "usage" if amount < 0 else ("grant", "purchase")[seq % 2]
        apps.get_model("billing", "LedgerEntry").objects.create(
            account_id=root,
            seq=seq,
            kind=kind,
            amount=amount,
            balance_after=sum(amounts[:seq]),
            created_at=now + timedelta(seconds=seq),
        )
    return root


def use(apps: Any, root: UUID, seq: int, occurred: datetime) -> None:
    """An event worth 3 credits of entry `seq`, by a key of the root, with its rollups."""
    key = apps.get_model("apikeys", "ApiKey").objects.create(organization_id=root, name="Old").pk
    meter = apps.get_model("billing", "Meter").objects.get(slug="sms")
    run(EVENT, root, root, key, meter.pk, seq, occurred, timezone.now())
    bucket = occurred.replace(minute=occurred.minute // 15 * 15, second=0, microsecond=0)
    about = {"account_id": root, "organization_id": root, "key_id": key, "meter_id": meter.pk, "environment": "live"}
    figures = {"bucket": bucket, "requests": 1, "failed": 0, "quantity": 300, "credits": 3}
    apps.get_model("usage", "UsageRollup").objects.create(**about, **figures)
    apps.get_model("usage", "EndpointRollup").objects.create(**about, **figures, endpoint="/sms")


def test_a_full_database_is_migrated_and_its_books_agree(scratch: None) -> None:
    apps = migrate(*BEFORE_LOTS)
    rich, indebted = payer(apps, 10, 5, -3, 8), payer(apps, 2, -3)
    use(apps, rich, 3, timezone.now())
    use(apps, indebted, 2, timezone.now() - timedelta(days=40))
    migrate()
    assert reconciliation.run() == []
    for root in (rich, indebted):
        posting.settle(root)
    assert lots(rich) == [("paid", 7), ("promotional", 5), ("promotional", 8)]
    assert lots(indebted) == [("paid", 0)]
    assert reconciliation.run() == []


def lots(root: UUID) -> list[tuple[Any, Any]]:
    return list(Grant.objects.filter(account=root).order_by("entry_seq").values_list("category", "remaining"))


def test_a_migration_that_was_killed_half_way_runs_again(committed: None) -> None:
    """Those that are no transaction. Their steps are done already; one has left an index that is not valid."""
    run("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'hold_of_account'::regclass")
    loader = MigrationExecutor(connection).loader
    halves = [(node, one) for node, one in loader.disk_migrations.items() if node[0] in OWN and not one.atomic]
    assert halves
    for node, migration in sorted(halves):
        with connection.schema_editor(atomic=False) as editor:
            migration.apply(loader.project_state(node, at_end=False), editor)
    assert run("SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid") == []
