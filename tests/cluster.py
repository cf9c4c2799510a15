"""A Citus cluster for the tests of money, gate and metering, where CITUS_DATABASE_URL names its coordinator.

Its database knows the machines (`pg_dist_node`), and the role of the URL may make databases on each of them. Each
database of the tests is made on all machines.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
from django.db import connection
from psycopg.sql import SQL, Identifier

from accounts.lib import sql

URL = os.environ.get("CITUS_DATABASE_URL", "")
MISSING = "CITUS_DATABASE_URL names no cluster"
SHARDS = 4

MACHINES = "SELECT groupid, nodename, nodeport FROM pg_dist_node WHERE noderole = 'primary' ORDER BY groupid"
COORDINATOR = "SELECT citus_set_coordinator_host(%s, %s)"
WORKER = "SELECT citus_add_node(%s, %s)"
CLOSE = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
PORT = """
SELECT nodeport FROM pg_dist_shard_placement
 WHERE shardid = get_shard_id_for_distribution_column('billing_ledgeraccount', %(payer)s::uuid)
"""

# Whom a lock of ours on another machine blocks, if there is a cluster.
BLOCKED = ("SELECT FROM citus_lock_waits WHERE blocking_gpid = citus_backend_gpid()",) if URL else ()

# The suites that run there.
SUITES = (
    *("tests/billing/ledger/", "tests/apikeys/", "tests/usage/gate/", "tests/usage/metering/"),
    *("tests/usage/storage/", "tests/usage/reporting/", "tests/usage/api/"),
)

# Of these, modules and tests that don't, and why.
ANEW = "on Citus all rows of a payer are written anew, by other statements"
ALONE = "on Citus each payer is closed alone"
DETACHED = "Citus can't detach a partition beside readers and writers"
TRIPS = "on Citus the gate takes three trips"
APART = {
    "tests/usage/api/test_verify.py::test_a_call_takes_one_trip": TRIPS,
    "tests/usage/api/test_verify.py::test_a_call_of_a_limited_key_takes_one_trip_too": TRIPS,
    "tests/apikeys/test_keys.py::test_the_query_goes_by_the_unique_index_of_digests": "Citus shows another plan",
    "tests/usage/storage/test_proof_snapshot.py": "on Citus payers are locked instead, a few at a time",
    "tests/usage/storage/test_event_partitions.py": "events of the audit log stay on the coordinator",
    "tests/usage/storage/test_closing.py::test_a_payer_that_can_not_be_closed_holds_up_no_other": ALONE,
    "tests/usage/storage/test_closing.py::test_a_service_that_assesses_taxes_is_waited_for_by_one_payer_alone": ALONE,
    "tests/usage/storage/test_rebuild.py::test_what_is_right_is_not_written": ANEW,
    "tests/usage/storage/test_rebuild.py::test_what_was_killed_halfway_is_finished_by_another_run": ANEW,
    "tests/usage/storage/test_rebuild.py::test_without_the_lock_what_is_recorded_meanwhile_is_lost": ANEW,
    "tests/usage/storage/test_retention.py::test_readers_and_writers_go_on_while_a_leaf_is_detached": DETACHED,
    "tests/usage/storage/test_retention.py::test_an_interrupted_detaching_is_finished_by_the_next_run": DETACHED,
    "tests/usage/metering/test_known.py::test_it_walks_through_the_unique_index_alone": "the statement of one machine",
    "tests/usage/gate/test_races.py::test_a_form_that_holds_before_it_asks_for_the_long_one_holds_twice": (
        "a control of the statement of one machine: on Citus a call is judged before it holds"
    ),
}


def reason_apart(path: str, name: str) -> str:
    """Why a test of this file, relative to the repository, doesn't run on the cluster; empty if it does."""
    if not path.startswith(SUITES):
        return "not a suite of money, gate and metering: it doesn't run on Citus"
    return APART.get(f"{path}::{name.partition('[')[0]}", "") or APART.get(path, "")


@contextmanager
def joined(name: str) -> Iterator[None]:
    """A database of the coordinator that was made from a template becomes one of the cluster, meanwhile."""
    machines = _machines()
    for group, host, port in machines:
        with _to(host, port, "postgres") as other:
            if group:
                other.execute(SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(Identifier(name)))
                other.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
        with _to(host, port, name) as other:
            other.execute("CREATE EXTENSION citus")
    [(_, host, port), *workers] = machines
    with _to(host, port, name) as coordinator:
        coordinator.execute(COORDINATOR, (host, port))
        for _, *address in workers:
            coordinator.execute(WORKER, address)
        coordinator.execute(SQL("ALTER DATABASE {} SET citus.shard_count TO {}").format(Identifier(name), SHARDS))
    try:
        yield
    finally:
        for _, host, port in workers:
            with _to(host, port, "postgres") as other:
                other.execute(SQL("DROP DATABASE {} WITH (FORCE)").format(Identifier(name)))


def port_of(payer: UUID) -> int:
    """The port of the machine that a payer of the connected database is on."""
    [(port,)] = sql.rows(PORT, {"payer": payer})
    return int(port)


@contextmanager
def lost(name: str, port: int) -> Iterator[None]:
    """The machine at that port has closed all connections to the database of that name, and takes none meanwhile."""
    [host] = [host for _, host, other in _machines() if other == port]
    with _to(host, port, "postgres") as machine:
        machine.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(Identifier(name)))
        machine.execute(CLOSE, [name])
        try:
            yield
        finally:
            machine.execute(SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(Identifier(name)))


def _machines() -> list[tuple[Any, ...]]:
    with psycopg.connect(URL) as opened:
        return opened.execute(MACHINES).fetchall()


def _to(host: str, port: int, name: str) -> psycopg.Connection[Any]:
    user, password = connection.settings_dict["USER"], connection.settings_dict["PASSWORD"] or None
    return psycopg.connect(host=host, port=port, user=user, password=password, dbname=name, autocommit=True)
