"""Processes of Tollgate as several machines run them: each with a state folder of its own, on one database and broker.

Machines have the secrets of one installation, which is all that they share beside the services.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from django.conf import settings

from tests.config.web import conftest

WORKER = (
    "worker",
    "--loglevel",
    "info",
    "--concurrency",
    "2",
    "--pool",
    "threads",
    "--without-gossip",
    "--without-mingle",
)
BEAT = ("beat", "--loglevel", "info")
PATIENCE_SECONDS = 90


class Machine:
    """`processes` are beats and workers, by name. Their logs are in the machine's folder."""

    def __init__(self, folder: Path, shared: dict[str, str]) -> None:
        folder.mkdir()
        self.folder, self.environment = folder, {**shared, "TOLLGATE_STATE_DIR": str(folder)}
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", "celery", "--app", "config", *arguments]
        if name == "beat":
            command += ["--schedule", str(self.folder / "beat")]
        with (self.folder / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                command, cwd=settings.BASE_DIR, env={**os.environ, **self.environment}, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.send_signal(signal.SIGKILL)
        process.wait()

    def log(self, name: str) -> str:
        return (self.folder / f"{name}.log").read_text()

    def serve(self, database: str) -> AbstractContextManager[conftest.Server]:
        return conftest.running(database, None, **self.environment)

    def stop(self) -> None:
        for process in self.processes.values():
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def running(folder: Path, database: str, redis_url: str, **environment: str) -> Iterator[list[Machine]]:
    """Two machines on that database. Nothing runs on them yet."""
    shared = {
        **environment,
        "DATABASE_URL": conftest.database_url(database),
        "REDIS_URL": redis_url,
        "SECRET_KEY": settings.SECRET_KEY,
        "API_KEY_PEPPERS": ",".join(f"{pepper}:{secret.decode()}" for pepper, secret in settings.API_KEY_PEPPERS),
        "EMAIL_URL": f"filemail:///{folder}/mail",
    }
    machines = [Machine(folder / f"machine{n}", shared) for n in (1, 2)]
    try:
        yield machines
    finally:
        for machine in machines:
            machine.stop()


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.25)
