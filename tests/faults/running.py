"""Runs a separate `make run` in its own state folder and kills parts of it."""

import http.client
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread

from config.env import BASE_DIR
from config.local.watchdog import end_with_parent
from tests.faults import processes
from tests.faults.processes import Role

PATIENCE_SECONDS = 120
START_SECONDS = 300  # it migrates, and the machine may be busy
POLL_SECONDS = 0.02
# The supervisor gives up after 5 deaths in a minute. A watchdog gives up after 3 deaths, each within 10 s of the start.
APART_SECONDS = 15.5


class DidNotComeBack(Exception):
    """Something wasn't back after PATIENCE_SECONDS. The message has the supervisor's output."""


class Running:
    """`folder` is a checkout, and `environment` the variables there; by default our own."""

    def __init__(
        self, port: int, log: Path, folder: Path = BASE_DIR, environment: Mapping[str, str] = os.environ
    ) -> None:
        self.port, self.log = port, log
        self.killed_at: dict[str, float] = {}
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.local.supervisor", "--port", str(port)],
                cwd=folder,
                env={**environment, "PYTHONUNBUFFERED": "1"},
                stdout=output,
                stderr=output,
                preexec_fn=end_with_parent(signal.SIGTERM),
            )
        self.wait_until(self.is_ready, "the first answer", START_SECONDS)

    def wait_until(self, condition: Callable[[], object], what: str, patience: float = PATIENCE_SECONDS) -> None:
        """Raises DidNotComeBack if it takes too long or the supervisor has ended."""
        began = time.monotonic()
        while not condition():
            if self.process.poll() is not None or time.monotonic() - began > patience:
                raise DidNotComeBack(f"{what}: not within {time.monotonic() - began:.0f} s\n{self.end_of_log()}")
            time.sleep(POLL_SECONDS)

    def is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def kill(self, role: Role, chance: random.Random) -> "Loss":
        """Kills one group of a role's processes at once."""
        victims = chance.choice(role.groups(role.members(self.process.pid)))
        processes.kill(victims)
        self.killed_at[role.name] = time.monotonic()
        return Loss(self, role, frozenset(victims))

    def rest(self, role: Role) -> None:
        """Waits if one more death now would make the supervisor or watchdog give up."""
        time.sleep(max(0.0, self.killed_at.get(role.name, -APART_SECONDS) + APART_SECONDS - time.monotonic()))

    def end_of_log(self) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-30:])

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Loss:
    """What was killed. A thread measures how long it takes until all of it runs again."""

    def __init__(self, running: Running, role: Role, victims: frozenset[int]) -> None:
        self.running, self.role, self.victims = running, role, victims
        self.began, self.ended, self.error = time.monotonic(), 0.0, ""
        self.watch = Thread(target=self._watch)
        self.watch.start()

    def _watch(self) -> None:
        try:
            self.running.wait_until(self._is_back, f"{self.role.name} after kill -9")
            self.ended = time.monotonic()
        except DidNotComeBack as error:
            self.error = str(error)

    def _is_back(self) -> bool:
        members = self.role.members(self.running.process.pid)
        return len(members) >= self.role.least and not self.victims & set(members) and self.running.is_ready()

    def forgive(self) -> None:
        """Starts counting now, because until now it was kept down on purpose."""
        self.began = time.monotonic()

    def recovered(self) -> float:
        """The seconds that it took. Raises DidNotComeBack if it didn't come back."""
        self.watch.join()
        if self.error:
            raise DidNotComeBack(self.error)
        return self.ended - self.began
