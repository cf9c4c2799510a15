"""Prepares everything that Tollgate needs before it can serve: `python -m config.local.prepare`, a step of `make run`.

It runs as the owner of the tables. It waits for PostgreSQL and Valkey or Redis, and migrates. Outside production it
makes demo data if there are no users yet. Another process makes the font of the pages meanwhile.
"""

import argparse
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import django
import redis
from django.conf import settings
from django.core.management import call_command
from django.db import OperationalError, connection
from django.db.migrations.executor import MigrationExecutor

from config import fonts

OLDEST_POSTGRES = 15
PATIENCE_SECONDS = 120
RETRY_SECONDS = 2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m config.local.prepare", description="Prepare the database.")
    parser.add_argument("--grant-to", metavar="ROLE", help="the application's role, if it is not the tables' owner")
    role = parser.parse_args().grant_to
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    font = None if settings.PRODUCTION else subprocess.Popen([sys.executable, "-m", fonts.__name__])  # noqa: S603
    _wait_for("PostgreSQL", connection.ensure_connection, OperationalError)
    if (major := _server_version() // 10_000) < OLDEST_POSTGRES:
        sys.exit(f"Tollgate needs PostgreSQL {OLDEST_POSTGRES} or later; DATABASE_URL leads to version {major}.")
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        _wait_for("Redis", client.ping, redis.RedisError)
    _migrate()
    if role:
        call_command("grant_privileges", role, stdout=io.StringIO())
    if not settings.PRODUCTION:
        call_command("make_demo")
    if font:
        font.wait()
    if settings.PAYMENT_GATEWAY != "sandbox":
        with suppress(SystemExit):  # print the problem and go on, since everything except paying works
            call_command("check_payment_gateway")


def _server_version() -> int:
    """As PostgreSQL numbers them: 180006 for 18.6."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int")
        return int(cursor.fetchone()[0])


def _wait_for(title: str, reach: Callable[[], object], error: type[Exception]) -> None:
    """Tries until it works, and says what it waits for. The drivers' messages name no password."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            reach()
        except error as refusal:
            reason = str(refusal).strip().splitlines()[0]
            if time.monotonic() > deadline:
                sys.exit(f"{title} can't be reached: {reason}")
            _say(f"Waiting for {title}: {reason}")
            time.sleep(RETRY_SECONDS)
        else:
            return


def _migrate() -> None:
    executor = MigrationExecutor(connection)
    if plan := executor.migration_plan(executor.loader.graph.leaf_nodes()):
        _say(f"Migrating the database: {len(plan)} steps…")
        call_command("migrate", interactive=False, verbosity=0)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
