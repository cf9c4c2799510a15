"""Scratch databases, which Django's connection speaks to meanwhile, in the state of some release."""

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from io import StringIO
from typing import Any

from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from accounts.lib import months
from tests import cluster
from tests.config.upgrades import OWN, Release

# As a release made the leaves of usage_event.
LEAF = """
CREATE TABLE {leaf} (LIKE usage_event INCLUDING ALL);
ALTER TABLE usage_event ATTACH PARTITION {leaf} FOR VALUES FROM ('{start}') TO ('{end}')
"""
TABLES = """
SELECT relname FROM pg_class
 WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
   AND split_part(relname, '_', 1) = ANY(%s) ORDER BY 1
"""


def run(statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters or None)
        return cursor.fetchall() if cursor.description else []


@contextmanager
def created(suffix: str, template: str = "template1", *, distributed: bool = bool(cluster.URL)) -> Iterator[str]:
    """A new database for the time being, by default an empty one; its name.

    On a Citus cluster, what is made from a template is distributed, unless the test does that itself.
    """
    name = f"{connection.settings_dict['NAME']}_{suffix}"
    with connected("postgres"):
        run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        run(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
    try:
        with cluster.joined(name) if cluster.URL and template != "template1" else nullcontext():
            if distributed and template != "template1":
                with connected(name):
                    call_command("distribute", stdout=StringIO())
            yield name
    finally:
        with connected("postgres"):
            run(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextmanager
def connected(name: str) -> Iterator[None]:
    """Django's connection speaks to that database."""
    usual = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = name
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = usual


@contextmanager
def scratch(suffix: str, template: str = "template1") -> Iterator[str]:
    with created(suffix, template) as name, connected(name):
        yield name


def migrate(*targets: tuple[str, str]) -> None:
    """To these migrations, or to the newest ones."""
    executor = MigrationExecutor(connection)
    executor.migrate(list(targets) or newest(executor))


def newest(executor: MigrationExecutor) -> list[tuple[str, str]]:
    return [node for node in executor.loader.graph.leaf_nodes() if node[0] in OWN]


def tables() -> list[str]:
    return [name for (name,) in run(TABLES, list(OWN))]


def fill(release: Release) -> None:
    """Load the release's data into its schema."""
    leaf = f"{release.month:usage_event_%Y_%m}"
    if not run("SELECT to_regclass(%s)", leaf)[0][0]:
        start, end = months.bounds(release.month)
        run(LEAF.format(leaf=leaf, start=start.isoformat(), end=end.isoformat()))
    run("SET session_replication_role = replica")  # the rows come in any order, and some tables are append-only
    for table in tables():
        run(f"DELETE FROM {table}")  # what the migrations put there is in the data as well
    run(release.data.read_text())
    run("SET session_replication_role = origin")
