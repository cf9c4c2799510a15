"""PgBouncer in transaction mode: each transaction may meet another connection of the database."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.utils.crypto import get_random_string

from tests import factories
from tests.concurrency import race
from tests.config.web.conftest import free_port, until
from tests.conftest import Api

SYSTEM = "/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin"
PGBOUNCER = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=SYSTEM)  # the tests may try another version
FOLLOWS_PREPARED_STATEMENTS = (1, 21)  # from this version on, with max_prepared_statements
CONFIGURATION = """
[databases]
* = host={host} port={port} user={user}{password}
[pgbouncer]
listen_addr =
unix_socket_dir = {folder}
listen_port = {own_port}
auth_type = any
pool_mode = transaction
default_pool_size = 2
"""
CLIENTS, TIMES = 4, 8  # a statement is prepared when a connection sends it for the sixth time

pytestmark = [
    pytest.mark.usefixtures("committed"),
    pytest.mark.skipif(PGBOUNCER is None, reason="there is no PgBouncer on this machine"),
]


def version() -> tuple[int, ...]:
    first = subprocess.run([str(PGBOUNCER), "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    return tuple(int(part) for part in first.split(".")[:2])


@pytest.fixture(scope="module")
def pooler(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Where it listens, in Django's words."""
    folder, port = tmp_path_factory.mktemp("pgb"), str(free_port())
    params = connection.get_connection_params()
    text = CONFIGURATION.format(
        host=params["host"],
        port=params.get("port", 5432),
        user=params["user"],
        password=f" password={params['password']}" if params.get("password") else "",
        folder=folder,
        own_port=port,
    )
    follows = "max_prepared_statements = 100\n" if version() >= FOLLOWS_PREPARED_STATEMENTS else ""
    (folder / "pgbouncer.ini").write_text(text + follows)
    with subprocess.Popen([*as_an_ordinary_user(), str(PGBOUNCER), "-q", str(folder / "pgbouncer.ini")]) as process:
        until((folder / f".s.PGSQL.{port}").exists)
        yield {"HOST": str(folder), "PORT": port}
        process.terminate()


def as_an_ordinary_user() -> list[str]:
    """PgBouncer refuses to run as root. The embedded PostgreSQL's socket is in a folder that is its owner's alone."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=nobody", "--clear-groups", "--inh-caps=+dac_override", "--ambient-caps=+dac_override"]


@contextmanager
def through(pooler: dict[str, str], *, prepare: bool) -> Iterator[None]:
    """New connections go there, as with DATABASE_PREPARED_STATEMENTS and without a limit for statements."""
    settings: dict[str, Any] = connection.settings_dict
    before = dict(settings)
    options = {name: value for name, value in settings["OPTIONS"].items() if name != "options"}
    settings.update(**pooler, OPTIONS=options | {"prepare_threshold": 5 if prepare else None})
    try:
        yield
    finally:
        settings.update(before)


def work(secret: str, gateway: str, organization: str) -> Callable[[], list[int]]:
    """The statuses that a client gets: usage, the gate with a hold, a hold and its capture, reports, a purchase."""

    def call() -> list[int]:
        own, platform = Api(secret), Api(gateway)
        statuses = []
        for _ in range(TIMES):
            event = {"id": get_random_string(20), "organization": organization, "meter": "sms"}
            statuses.append(platform.post("/v1/usage/events", event).status_code)
            verify = {"key": secret, "meter": "sms", "hold_seconds": 60}
            statuses.append(platform.post("/v1/keys/verify", verify).status_code)
            hold = own.post("/v1/credits/holds", {"amount": "0.1"})
            statuses.append(hold.status_code)
            statuses.append(own.post(f"/v1/credits/holds/{hold.json().get('id')}/capture", {}).status_code)
            statuses.append(own.get("/auth/account/summary").status_code)
            statuses.append(own.post("/v1/credits/purchases", {"amount": "1"}).status_code)
        return statuses

    return call


@pytest.fixture
def calls(committed: None) -> list[Callable[[], list[int]]]:
    owner = factories.user("pooled")
    organization = owner.current_organization
    assert organization
    factories.card(organization)
    factories.credit(organization, Decimal(1000))
    scopes = ["credits:read", "credits:write", "usage:read", "account:read"]
    _, secret = factories.key(organization, created_by=owner, permissions=scopes)
    return [work(secret, factories.platform_key(), organization.public_id)] * CLIENTS


def test_everything_works_without_prepared_statements(pooler: dict[str, str], calls: list[Any]) -> None:
    with through(pooler, prepare=False):
        answers = race(calls)
    assert {status for statuses in answers for status in statuses} == {200, 201}


def test_prepared_statements_work_from_1_21_on_and_before_that_it_is_said_what_is_wrong(
    pooler: dict[str, str], calls: list[Any]
) -> None:
    with through(pooler, prepare=True):
        answers = race(calls)
        [ready] = race([lambda: Api().get("/readyz")])
    statuses = {status for statuses in answers for status in statuses}
    if version() >= FOLLOWS_PREPARED_STATEMENTS:
        assert statuses == {200, 201}
    else:
        assert 503 in statuses
        # 404: the capture of a hold that wasn't placed. 500: a statement of another connection has the same name there.
        assert statuses <= {200, 201, 404, 500, 503}
        assert "DATABASE_PREPARED_STATEMENTS=off" in ready.json()["reasons"][0]
