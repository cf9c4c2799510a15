"""A streaming replica of the tests' PostgreSQL: a base backup, and a second server that follows the first."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
from django.db import connection

from config.local.watchdog import HERE, POSTGRES, Watchdog

PORT = "5433"
FOLLOWS = (
    *("-D", HERE, "-c", "listen_addresses=", "-c", f"port={PORT}", "-c", "unix_socket_directories=."),
    *("-c", "max_connections=100", "-c", "shared_buffers=32MB", "-c", "fsync=off", "-c", "cluster_name=standby"),
)


class Standby(Watchdog):
    """Runs the wheel's programs as the user that may."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o755)
        super().__init__(replace(POSTGRES, arguments=FOLLOWS, prepare=()), folder)

    def copy(self, params: dict[str, Any]) -> None:
        self._prepare()
        program = str(self.binary.with_name("pg_basebackup"))
        source = ("-h", _reachable(params["host"]), "-p", str(params.get("port", 5432)), "-U", params["user"])
        command = [program, "-D", HERE, *source, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"]
        if self._spawn(command, self.data).wait() != 0:
            raise RuntimeError("pg_basebackup failed.")

    def start(self) -> subprocess.Popen[bytes]:
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        return self._spawn(self._command(), self.data)


def _reachable(host: str) -> str:
    """The folder of the embedded server's socket, by a way that its user may go: those above it may be closed."""
    pid_file = Path(host) / "postmaster.pid"
    return f"/proc/{pid_file.read_text().split()[0]}/cwd" if pid_file.exists() else host


@contextmanager
def running(folder: Path) -> Iterator[dict[str, Any]]:
    """Django's settings of a connection to a standby of the database that the tests use, while it runs."""
    standby = Standby(folder)
    standby.copy(connection.get_connection_params())
    process = standby.start()
    settings = {**connection.settings_dict, "HOST": str(standby.data), "PORT": PORT}
    try:
        wait_for(settings)
        yield settings
    finally:
        process.send_signal(POSTGRES.stop)  # without waiting for clients
        process.wait()
        shutil.rmtree(folder)


def wait_for(settings: dict[str, Any]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            asked(settings, "SELECT 1")
            return
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def asked(settings: dict[str, Any], statement: str) -> Any:
    """Runs a statement on the standby, as its superuser."""
    address = {"host": settings["HOST"], "port": settings["PORT"], "dbname": settings["NAME"]}
    with psycopg.connect(user=settings["USER"], autocommit=True, **address) as standby:
        cursor = standby.execute(statement)
        return cursor.fetchone() if cursor.description else None
