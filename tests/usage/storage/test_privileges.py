"""The application's database role writes rows; it doesn't own the tables, and can't change what is append-only."""

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from subprocess import run as run_program
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError, connection, connections, transaction
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from accounts.models import Event
from billing import clock
from config.local import watchdog
from tests import factories, template
from tests.config.upgrades import databases, story
from tests.config.upgrades.databases import run
from usage import tasks
from usage.storage import advancing, privileges, reconciliation

ROLE = "tollgate_app"
DOCS = Path(settings.BASE_DIR) / "docs" / "operations.md"
TABLES = privileges.APPEND_ONLY.split(", ")


@pytest.fixture(scope="module")
def _role(django_db_setup: None, django_db_blocker: Any) -> None:
    """PostgreSQL's roles are those of all databases, and outlive this one."""
    with django_db_blocker.unblock():
        if not run("SELECT 1 FROM pg_roles WHERE rolname = %s", ROLE):
            run(f"CREATE ROLE {ROLE} LOGIN")


@pytest.fixture
def migrated(_role: None, committed: None) -> Iterator[str]:
    """The name of a database of a test's own, in which the role has no privilege."""
    with databases.scratch("copy", template.name()) as name:
        yield name


@pytest.fixture
def application(migrated: str) -> Iterator[None]:
    """Django's connection is that of the application, and there is one of the owner."""
    privileges.grant(ROLE)
    owner = {**connection.settings_dict, "OPTIONS": dict(connection.settings_dict["OPTIONS"])}
    connection.close()
    connection.settings_dict["OPTIONS"]["options"] = f"-c role={ROLE}"
    connections.databases["owner"] = owner
    yield
    connections["owner"].close()
    del connections.databases["owner"], connections["owner"]
    connection.close()
    del connection.settings_dict["OPTIONS"]["options"]


def test_a_clock_is_moved_by_who_may_make_no_tables(application: None) -> None:
    """As a web process does. The worker has made room before, or does so soon."""
    organization, now = factories.organization(), timezone.now()
    owner = connections.databases.pop("owner")
    try:
        with pytest.raises(advancing.ClockNotReady):
            advancing.advance(organization, now + timedelta(days=400))
        assert not Event.objects.of(organization).filter(type="clock.moved").exists()
        connections.databases["owner"] = owner
        advancing.sweep(now)
        del connections.databases["owner"]
        advancing.advance(organization, now + timedelta(days=400))
    finally:
        connections.databases["owner"] = owner
    organization.refresh_from_db()
    assert clock.now(organization) >= now + timedelta(days=400)


@pytest.fixture(scope="module")
def granted(_role: None, django_db_blocker: Any) -> Iterator[str]:
    """The name of a database in which nothing is changed."""
    with django_db_blocker.unblock(), databases.created("granted", template.name()) as name:
        with databases.connected(name):
            privileges.grant(ROLE)
        yield name


@pytest.fixture
def refused(granted: str, committed: None) -> Iterator[None]:
    """Django's connection is that of the application, in a transaction whose statement is refused."""
    with databases.connected(granted), transaction.atomic():
        run(f"SET LOCAL ROLE {ROLE}")
        yield
        transaction.set_rollback(True)


@pytest.mark.usefixtures("application")
def test_the_application_does_all_that_it_has_to() -> None:
    assert run("SELECT current_user") == [(ROLE,)]
    cast = story.fill()
    for _, send in story.requests(cast):
        send()
    assert reconciliation.run() == []


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("statement", ["UPDATE {} SET organization_id = NULL", "DELETE FROM {}", "TRUNCATE {}"])
def test_it_can_not_rewrite_history(table: str, statement: str) -> None:
    columns = {
        "accounts_publishedevent": "root_id",
        "billing_invoicedocument": "invoice_id",
        "billing_ledgerentry": "kind",
        "billing_ledgerseal": "digests",
    }
    with pytest.raises(DatabaseError, match="permission denied"):
        run(statement.format(table).replace("organization_id", columns.get(table, "organization_id")))


@pytest.mark.usefixtures("refused")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM {leaf}",
        "INSERT INTO {leaf} SELECT * FROM {leaf}",
        "TRUNCATE {leaf}",
        "DROP TABLE {leaf}",
        "ALTER TABLE usage_event DETACH PARTITION {leaf}",
        "ALTER TABLE billing_ledgerentry DISABLE TRIGGER ALL",
        "DROP TRIGGER ledger_entry_immutable ON billing_ledgerentry",
        "UPDATE django_migrations SET name = ''",
        "CREATE TABLE mine (id int)",
    ],
)
def test_nor_get_around_that(statement: str) -> None:
    [*_, (leaf,)] = run(privileges.PARTITIONS)
    with pytest.raises(DatabaseError, match=r"permission denied|must be owner"):
        run(statement.format(leaf=leaf))


@pytest.mark.usefixtures("application")
def test_partitions_are_made_by_the_owner_and_closed_to_the_application() -> None:
    *_, (last,) = run(privileges.PARTITIONS)
    with privileges.cursor() as owner:
        owner.execute(f"DROP TABLE {last}")
    assert tasks.make_partitions() == [last]
    assert privileges.warnings() == []
    with pytest.raises(DatabaseError, match="permission denied"):
        run(f"DELETE FROM {last}")


@pytest.mark.usefixtures("application")
def test_without_the_owners_connection_no_partition_is_made() -> None:
    del connections.databases["owner"]
    with pytest.raises(DatabaseError, match="must be owner"):
        run("ALTER TABLE usage_event DETACH PARTITION " + run(privileges.PARTITIONS)[-1][0])
    connections.databases["owner"] = connection.settings_dict


def warned() -> str:
    printed = StringIO()
    call_command("check_ledger", stdout=printed)
    return "".join(line for line in printed.getvalue().splitlines(True) if line.startswith("warn"))


def test_check_ledger_warns_if_the_application_owns_the_tables(migrated: str) -> None:
    run(f"REVOKE ALL ON billing_ledgerentry FROM {ROLE}")
    assert "signs in to the database as the owner of its tables" in warned()


@pytest.mark.parametrize(
    ("statement", "warning"),
    [
        (f"GRANT UPDATE, TRUNCATE ON billing_ledgerentry TO {ROLE}", "may TRUNCATE, UPDATE billing_ledgerentry."),
        (f"GRANT DELETE ON accounts_event TO {ROLE}", "may DELETE accounts_event."),
        (f"GRANT ALL ON {{leaf}} TO {ROLE}", "may DELETE, TRUNCATE, UPDATE {leaf}."),
    ],
)
def test_check_ledger_warns_of_each_privilege_too_many(migrated: str, statement: str, warning: str) -> None:
    privileges.grant(ROLE)
    assert warned() == ""
    [*_, (leaf,)] = run(privileges.PARTITIONS)
    run(statement.format(leaf=leaf))
    assert f"The role {ROLE} {warning.format(leaf=leaf)}" in warned()


def test_the_statements_of_the_documentation_do_the_same(migrated: str) -> None:
    """Run by psql, as an operator would."""
    [statements] = [block.partition("```")[0] for block in DOCS.read_text().split("```psql\n")[1:]]
    psql = watchdog.POSTGRES.program(watchdog.POSTGRES.site()).parent / "psql"
    parts = connection.settings_dict
    target = make_conninfo(host=parts["HOST"], port=parts["PORT"], user=parts["USER"], dbname=migrated)
    done = run_program(
        [psql, target, "--set=ON_ERROR_STOP=1"], input=statements, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    granted = privileges_of(ROLE)
    assert warned() == ""
    privileges.grant(ROLE)
    assert privileges_of(ROLE) == granted


def privileges_of(role: str) -> list[Any]:
    return run(
        "SELECT table_name, privilege_type FROM information_schema.role_table_grants WHERE grantee = %s ORDER BY 1, 2",
        role,
    )
