"""The database that the tests start from. Migrating takes eight seconds, so it's done once, and then copied.

Every worker copies it, and so do later runs on the same day, until the product's code changes.
"""

import fcntl
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from hashlib import sha256

from django.conf import settings
from django.core.management import call_command
from django.db import DatabaseError

from tests.config.upgrades import databases
from tests.servers import STATE_DIR

PREFIX = "tollgate_template_"
SOURCES = ("accounts", "apikeys", "billing", "config", "usage")
STALE = "SELECT datname FROM pg_database WHERE starts_with(datname, %s)"


def name() -> str:
    """The name of the template, which is made if there is none. Nobody may stay connected to it."""
    template = PREFIX + _digest()
    STATE_DIR.mkdir(parents=True, exist_ok=True)
    with (STATE_DIR / "template.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with databases.connected("postgres"):
            existing = {name for (name,) in databases.run(STALE, PREFIX)}
        if template not in existing:
            _make(template, existing)
    return template


@cache
def _digest() -> str:
    """Changes with the code, with what is installed, and with the day, because migrations make partitions for it."""
    digest = sha256(f"{datetime.now(UTC):%Y-%m-%d}".encode())
    sources = [path for app in SOURCES for path in (settings.BASE_DIR / app).rglob("*.py")]
    for path in sorted([*sources, settings.BASE_DIR / "requirements.lock"]):
        digest.update(str(path).encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def _make(template: str, stale: set[str]) -> None:
    """Make it under another name, so that one which was interrupted is not taken for the whole."""
    unfinished = f"{template}_unfinished"
    with databases.connected("postgres"):
        for old in {*stale, unfinished}:
            with suppress(DatabaseError):  # it is being copied, by tests of another checkout
                databases.run(f'DROP DATABASE IF EXISTS "{old}"')
        databases.run(f'CREATE DATABASE "{unfinished}"')
    with databases.connected(unfinished):
        call_command("migrate", verbosity=0, interactive=False, run_syncdb=True)
    with databases.connected("postgres"):
        databases.run(f'ALTER DATABASE "{unfinished}" RENAME TO "{template}"')
