"""PostgreSQL and Valkey for the tests: embedded, unless DATABASE_URL and REDIS_URL name others.

CITUS_DATABASE_URL takes the place of DATABASE_URL."""

import os
from pathlib import Path

STATE_DIR = Path(__file__).resolve().parent.parent / ".tollgate" / "test"
NOT_DURABLE = "-c fsync=off -c synchronous_commit=off -c full_page_writes=off"


def start() -> None:
    """Attaches this process before Django reads its settings. The state folder is not that of `make run`."""
    os.environ["TOLLGATE_STATE_DIR"] = str(STATE_DIR)
    if cluster := os.environ.get("CITUS_DATABASE_URL"):  # see tests/cluster.py
        os.environ["DATABASE_URL"] = cluster
    os.environ.setdefault("TOLLGATE_POSTGRES_OPTIONS", NOT_DURABLE)

    from config.local import servers  # reads the variables above when imported

    servers.attach()
