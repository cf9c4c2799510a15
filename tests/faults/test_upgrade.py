"""From an earlier release to this one under load: migrations beside requests, web servers and workers one by one.

UPGRADE_FROM=<a checkout of that release, with its .venv> runs it. Commit 7ec8cf2 has the frozen schema of 0.1.0.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
from django.conf import settings

from tests.config.upgrades import databases
from tests.config.web.conftest import HAND_OVER

OLD = Path(os.environ.get("UPGRADE_FROM", ""))
NEW = settings.BASE_DIR
PER_SECOND = 20
SETTLE_SECONDS = 5  # between two steps
pytestmark = [
    pytest.mark.skipif("UPGRADE_FROM" not in os.environ, reason="set UPGRADE_FROM to a checkout of the old release"),
    pytest.mark.usefixtures("committed"),
]
SEED = """
import django, json
django.setup()
from tests import factories
owner = factories.user("upgrade")
own = owner.current_organization
factories.card(own)
factories.credit(own, 100000)
permissions = ["credits:read", "credits:write", "usage:read"]
_, secret = factories.key(own, created_by=owner, permissions=permissions)
print(json.dumps([own.public_id, secret, factories.platform_key()]))
"""
SUMS = """
SELECT (SELECT count(*) FROM usage_event), (SELECT count(*) FROM billing_ledgerentry WHERE kind = 'purchase'),
       (SELECT sum(requests) FROM usage_usagerollup)
"""


class Installation:
    """Programs of the old or the new release, on one database."""

    def __init__(self, folder: Path, database: str) -> None:
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "DATABASE_URL": urlsplit(settings.DATABASE_URL)._replace(path=f"/{database}").geturl(),
            "REDIS_URL": f"{settings.REDIS_URL.partition('?')[0]}?db=14",
            "TOLLGATE_STATE_DIR": str(folder),
            "SECRET_KEY": settings.SECRET_KEY,
            "API_KEY_PEPPERS": "1:" + "p" * 40,
            "EMAIL_URL": f"filemail:///{folder}/mail",
        }
        self.log = (folder / "log").open("ab")

    def start(self, release: Path, *arguments: str, listener: socket.socket | None = None) -> "subprocess.Popen[bytes]":
        command = [str(release / ".venv/bin/python"), *arguments]
        environment, files = dict(self.environment), []
        if listener:
            environment["LISTEN_FDS"], files = "1", [listener.fileno()]
            command = [sys.executable, "-c", HAND_OVER, str(listener.fileno()), *command]
        return subprocess.Popen(command, cwd=release, env=environment, stdout=self.log, stderr=self.log, pass_fds=files)

    def run(self, release: Path, *arguments: str) -> str:
        command = [str(release / ".venv/bin/python"), *arguments]
        done = subprocess.run(command, cwd=release, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


GUNICORN = (
    *("-m", "gunicorn", "config.wsgi", "--worker-class", "gthread", "--workers", "2", "--threads", "4"),
    *("--graceful-timeout", "10", "--no-control-socket"),
)
CELERY = ("-m", "celery", "--app", "config")


class Load:
    """Sends so many requests a second, on new connections. `answers` are by path and status, or the error."""

    def __init__(self, port: int, organization: str, key: str, gateway: str) -> None:
        self.port, self.answers, self.stop, self.numbers = port, Counter[str](), Event(), count()
        usage = {"organization": organization, "meter": "requests"}
        self.requests: list[tuple[str, str, str, dict[str, Any] | None]] = [
            ("POST", "/v1/keys/verify", gateway, {"key": key, "meter": "requests"}),
            ("POST", "/v1/usage/events", gateway, usage),
            ("GET", "/auth/account/ledger", key, None),
            ("POST", "/v1/credits/purchases", key, {"amount": "5"}),
        ]

    def send(self, number: int) -> None:
        method, path, secret, body = self.requests[number % len(self.requests)]
        headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        if path.endswith("purchases"):
            headers["Idempotency-Key"] = f"upgrade-{number}"
        sent = json.dumps({**body, "id": f"e{number}"} if path.endswith("events") and body else body)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, sent if body else None, headers)
            response = connection.getresponse()
            response.read()
            self.answers[f"{path} {response.status}"] += 1
        except (OSError, HTTPException) as error:
            self.answers[f"{path} {error!r}"] += 1
        finally:
            connection.close()

    def run(self) -> None:
        began = time.monotonic()
        with ThreadPoolExecutor(16) as pool:
            for number in self.numbers:
                if self.stop.wait(max(0.0, began + number / PER_SECOND - time.monotonic())):
                    break
                pool.submit(self.send, number)

    @property
    def failed(self) -> dict[str, int]:
        good = {f"{path} {status}" for _, path, *_ in self.requests for status in (200, 201)}
        return {answer: times for answer, times in self.answers.items() if answer not in good}

    def done(self, path: str) -> int:
        return sum(times for answer, times in self.answers.items() if answer.startswith(path))


@contextmanager
def under_load(load: Load) -> Iterator[None]:
    thread = Thread(target=load.run)
    thread.start()
    try:
        yield
    finally:
        load.stop.set()
        thread.join()


def stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)


def test_an_upgrade_under_load_fails_no_request(tmp_path: Path) -> None:
    with databases.created("upgrading") as name, socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        installation = Installation(tmp_path, name)
        installation.run(OLD, "manage.py", "migrate", "-v", "0")
        load = Load(listener.getsockname()[1], *json.loads(installation.run(OLD, "-c", SEED)))
        worker = (*CELERY, "worker", "--concurrency", "2", "--pool", "threads")
        beat = (*CELERY, "beat", "--schedule", str(tmp_path / "beat"))
        old_web = installation.start(OLD, *GUNICORN, listener=listener)
        running = [installation.start(OLD, *worker), installation.start(OLD, *beat), old_web]
        try:
            load.send(0)  # waits for the first answer
            with under_load(load):
                time.sleep(SETTLE_SECONDS)
                installation.run(NEW, "manage.py", "migrate", "-v", "0")
                time.sleep(SETTLE_SECONDS)
                running.append(installation.start(NEW, "-m", "config.web", "--port", "1", listener=listener))
                time.sleep(2 * SETTLE_SECONDS)
                stop(old_web)
                for process in running[:2]:
                    stop(process)
                running += [installation.start(NEW, *worker), installation.start(NEW, *beat)]
                time.sleep(SETTLE_SECONDS)
                running[3].send_signal(signal.SIGHUP)  # and its workers once more
                time.sleep(2 * SETTLE_SECONDS)
            assert load.failed == {}
            assert "0 differences" in installation.run(NEW, "manage.py", "check_ledger")
            with psycopg.connect(installation.environment["DATABASE_URL"]) as connection:
                row = connection.execute(SUMS).fetchone()
            events = load.done("/v1/usage/events")
            assert row == (events, load.done("/v1/credits/purchases"), events)
        finally:
            for process in running:
                stop(process)  # which ends its own processes
