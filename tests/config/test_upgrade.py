"""Upgrading an installation in use: its database is full, a migration may be killed, and the old code still writes."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import DatabaseError, connection, models, transaction
from django.db.migrations import Migration
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.state import ProjectState

from accounts.lib import migrating
from tests.config.upgrades import RELEASES, Release, databases
from tests.config.upgrades.databases import run
from tests.properties import EXHAUSTIVE
from usage.storage import reconciliation

# Tables that stay empty.
SMALL = {"accounts_user_groups", "accounts_user_user_permissions"}
BALANCES = "SELECT organization_id, balance, reserved, seq FROM billing_ledgeraccount ORDER BY 1"
INDEXES = "SELECT oid FROM pg_class WHERE relkind IN ('i', 'I') AND relnamespace = 'public'::regnamespace"
# An index of a partition is attached to that of the whole table only once it is finished.
INTERRUPT = """
UPDATE pg_index SET indisvalid = false
 WHERE indexrelid = ANY(%s) AND NOT EXISTS (SELECT FROM pg_inherits WHERE indexrelid IN (inhrelid, inhparent))
"""
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"

pytestmark = pytest.mark.usefixtures("committed")


@pytest.fixture(scope="module", params=RELEASES, ids=lambda release: release.name)
def release(request: pytest.FixtureRequest) -> Release:
    return request.param  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def filled(release: Release, django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The name of a database in which the release was used."""
    with django_db_blocker.unblock(), databases.created("filled") as name:
        with databases.connected(name):
            databases.migrate(*release.migrations)
            databases.fill(release)
        yield name


@pytest.fixture(scope="module")
def upgraded(filled: str, django_db_blocker: Any) -> Iterator[str]:
    """The name of a copy of it, migrated to the newest schema."""
    with django_db_blocker.unblock(), databases.created("upgraded", filled) as name:
        with databases.connected(name):
            databases.migrate()
        yield name


@pytest.fixture
def installed(filled: str, committed: None) -> Iterator[None]:
    """Django's connection speaks to a copy of it."""
    with databases.scratch("copy", filled):
        yield


def repeat(release: Release) -> None:
    """Send what the release's code sent, one request a transaction."""
    for request in release.statements.read_text().split("\n-- "):
        title, _, statements = request.partition("\n")
        with transaction.atomic():
            try:
                run(statements)
            except DatabaseError as error:
                error.add_note(f"{release.name}: {title}")
                raise


@pytest.mark.usefixtures("installed")
def test_the_release_had_two_rows_of_everything() -> None:
    """With one row, a migration that gives all rows the same unique value would pass."""
    counts = {table: run(f"SELECT count(*) FROM {table}")[0][0] for table in databases.tables()}
    assert {table for table, count in counts.items() if count < 2} <= SMALL


def test_a_full_database_is_migrated_and_its_books_agree(filled: str, upgraded: str) -> None:
    with databases.connected(filled):
        before = run(BALANCES)
    with databases.connected(upgraded):
        assert reconciliation.run() == []
        assert run(BALANCES) == before


@pytest.mark.usefixtures("installed")
def test_what_was_recorded_of_the_old_code_fits_its_own_schema(release: Release) -> None:
    before = run("SELECT count(*) FROM billing_ledgerentry")
    repeat(release)
    assert run("SELECT count(*) FROM billing_ledgerentry") > before


def test_the_old_code_goes_on_writing_while_the_new_schema_is_there(release: Release, upgraded: str) -> None:
    with databases.scratch("copy", upgraded):
        before = run("SELECT count(*) FROM billing_ledgerentry")
        repeat(release)
        assert run("SELECT count(*) FROM billing_ledgerentry") > before
        assert reconciliation.run() == []


@pytest.mark.usefixtures("installed")
def test_a_column_that_the_old_code_does_not_fill_is_noticed(release: Release) -> None:
    """The control of the test above."""
    run("ALTER TABLE billing_hold ADD COLUMN colour text NOT NULL DEFAULT ''")
    run("ALTER TABLE billing_hold ALTER COLUMN colour DROP DEFAULT")
    with pytest.raises(DatabaseError, match="colour"):
        repeat(release)


@pytest.mark.usefixtures("installed")
def test_one_unique_value_for_all_rows_is_noticed() -> None:
    with pytest.raises(DatabaseError, match="duplicated"):
        run(f"ALTER TABLE billing_plan ADD COLUMN value uuid NOT NULL UNIQUE DEFAULT '{UUID(int=0)}'")


def kill_after(migration: Migration, steps: int, state: ProjectState) -> None:
    """Make the first steps of a migration. The last of them was not finished: its indexes are not valid."""
    with connection.schema_editor(atomic=False) as editor:
        for operation in migration.operations[:steps]:
            before, old_state = run(INDEXES), state.clone()
            operation.state_forwards(migration.app_label, state)
            operation.database_forwards(migration.app_label, editor, old_state, state)
    unfinished = [index for (index,) in set(run(INDEXES)) - set(before)]
    run(INTERRUPT, unfinished)


@pytest.mark.usefixtures("installed")
def test_migrations_that_were_killed_half_way_run_again(release: Release) -> None:
    """Those that are no transaction. Each is killed after its last step; with EXHAUSTIVE=1 after each of them.

    The database is full, and the old code has just written to it once more. It let half a rate limit through.
    """
    repeat(release)
    run("UPDATE apikeys_apikey SET rate_limit_window_seconds = NULL WHERE rate_limit IS NOT NULL")
    executor = MigrationExecutor(connection)
    state = executor.loader.project_state(list(release.migrations))
    for migration, _ in executor.migration_plan(databases.newest(executor)):
        steps = 0 if migration.atomic else len(migration.operations)
        for done in range(1 if EXHAUSTIVE else steps, steps + 1) if steps else ():
            kill_after(migration, done, state.clone())
        state = executor.migrate([(migration.app_label, migration.name)], [(migration, False)], state)
    assert run(INVALID) == []
    assert reconciliation.run() == []


INDEX = models.Index(fields=["started_at"], name="imported_file_by_start")


def repeat_half_done(*operations: Any) -> None:
    """Make a migration of these operations twice, as if it had been killed at its end the first time."""
    attributes = {"atomic": False, "operations": list(operations), "dependencies": [("usage", "0001_initial")]}
    migration = type("Migration", (Migration,), attributes)("0002_made_up", "usage")
    state = MigrationExecutor(connection).loader.project_state(("usage", "0001_initial"))
    kill_after(migration, len(operations), state.clone())
    with connection.schema_editor(atomic=False) as editor:
        migration.apply(state, editor)


@pytest.mark.usefixtures("installed")
def test_an_index_that_was_left_half_made_is_made_again() -> None:
    repeat_half_done(*migrating.add_index("importedfile", INDEX))
    assert run(INVALID) == []


@pytest.mark.usefixtures("installed")
def test_a_migration_that_can_not_run_again_is_noticed() -> None:
    """The control: Django's own operation stumbles over what its first run left."""
    with pytest.raises(DatabaseError, match="already exists"):
        repeat_half_done(AddIndexConcurrently("importedfile", INDEX))
