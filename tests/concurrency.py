"""Races: the same call from many threads at once, each with its own database connection."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection

from accounts.lib import sql
from billing.ledger import posting
from tests import cluster

BLOCKED = "SELECT FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"


def race(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all calls at once. Returns, in order, what each one returned or the exception that it raised."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait(timeout=30)
            return call()
        except Exception as error:  # the caller judges it
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def wait_until_blocking() -> None:
    """Wait until another session is blocked by a lock of ours."""
    for _ in range(200):
        if any(sql.rows(statement, {}) for statement in (BLOCKED, *cluster.BLOCKED)):
            return
        time.sleep(0.05)
    raise AssertionError("nobody waits")


def dont_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the controls: payers are read, but not locked."""
    replace(monkeypatch, posting, ("LOCK", "LOCK_ONE"), "FOR NO KEY UPDATE", "")


def replace(monkeypatch: pytest.MonkeyPatch, module: Any, names: Sequence[str], part: str, new: str) -> None:
    """For the controls: a part of the statements of these names, for one machine and for a cluster, is another one."""
    for name in names:
        statement = getattr(module, name)
        assert part in statement
        monkeypatch.setattr(module, name, statement.replace(part, new))
