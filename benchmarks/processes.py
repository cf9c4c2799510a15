"""Starts the benchmarks' processes and ends them by id: clients, and the web server as `make run` starts it.

We import Tollgate late, because django-hordak's clients use this module too and lack Tollgate's dependencies.
"""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select

from benchmarks import stage

PATIENCE_SECONDS = 600
WORKERS = 2  # of the web server, the same as under `make run`


class Crew:
    """A number of processes that do the same work over the same period, each with its own connection."""

    def __init__(
        self, maker: str, size: int, *arguments: str, database: str, python: str = sys.executable, settings: str = ""
    ) -> None:
        environment = stage.environment(database)
        if settings:
            environment["DJANGO_SETTINGS_MODULE"] = settings
        self.processes = [
            subprocess.Popen(  # noqa: S603 (our own program)
                [python, "-m", "benchmarks.worker", maker, str(number), *arguments],
                **{"cwd": stage.ROOT, "env": environment, "text": True},
                **{"stdin": subprocess.PIPE, "stdout": subprocess.PIPE},
            )
            for number in range(size)
        ]

    def __enter__(self) -> "Crew":
        try:
            for process in self.processes:
                _line(process)
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def run(self, seconds: float) -> float:
        """Units a second, all processes together."""
        return sum(result["count"] / result["seconds"] for result in self._ask(f"{seconds}\n"))

    def once(self) -> float:
        """Runs the work once in each process. Returns the seconds that the slowest one took."""
        return float(max(result["seconds"] for result in self._ask("1x\n")))

    def _ask(self, order: str) -> list[dict[str, float]]:
        for process in self.processes:
            assert process.stdin
            process.stdin.write(order)
            process.stdin.flush()
        return [json.loads(_line(process)) for process in self.processes]

    def end(self) -> None:
        for process in self.processes:
            process.kill()
        for process in self.processes:
            process.communicate()


def _line(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    ready, _, _ = select([process.stdout], [], [], PATIENCE_SECONDS)
    line = process.stdout.readline() if ready else ""
    if not line:
        raise RuntimeError(f"{process.args[3]} ended or hangs.")  # type: ignore[index]
    return line


@contextmanager
def server(database: str) -> Iterator[int]:
    """Runs the web server on this database as `make run` does. Yields its port."""
    from config.local.watchdog import end_with_parent

    port = _free_port()
    command = [sys.executable, "-m", "config.web", "--port", str(port), "--workers", str(WORKERS)]
    environment, with_us = stage.environment(database), end_with_parent(signal.SIGTERM)
    process = subprocess.Popen(command, cwd=stage.ROOT, env=environment, preexec_fn=with_us)  # noqa: S603 (our own)
    try:
        _wait_for(port, process)
        yield port
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind((stage.HOST, 0))
        return int(free.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        with socket.socket() as probe:
            if probe.connect_ex((stage.HOST, port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise RuntimeError("The web server does not answer.")


def program(name: str) -> str:
    """A program of the PostgreSQL wheel, such as pgbench."""
    from config.local import watchdog

    return str(Path(watchdog.POSTGRES.program(watchdog.POSTGRES.site())).with_name(name))
