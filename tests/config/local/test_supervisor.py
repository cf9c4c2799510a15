"""`make run`, for real: all processes, on a port and in a state folder of their own."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread

import pytest

from config.local.supervisor import DEATHS, Child
from config.local.watchdog import ServerError
from tests.killing import stopped

CHECKOUT = Path(__file__).resolve().parents[3]
PATIENCE_SECONDS = 120

pytestmark = pytest.mark.waits


class MakeRun:
    """A supervisor, and what it says."""

    def __init__(self, state: Path, port: int) -> None:
        outside = {"DATABASE_URL", "REDIS_URL", "BASE_URL"}
        environment = {name: value for name, value in os.environ.items() if name not in outside}
        self.state, self.port = state, port
        self.process = subprocess.Popen(
            [sys.executable, "-m", "config.local.supervisor", "--port", str(port)],
            cwd=CHECKOUT,
            env=environment | {"TOLLGATE_STATE_DIR": str(state), "PATH": os.defpath},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.output = ""
        self.listener = Thread(target=self._listen, daemon=True)
        self.listener.start()

    def _listen(self) -> None:
        for line in self.process.stdout or ():
            self.output += line

    def wait_until(self, condition: Callable[[], object]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.output
            time.sleep(0.1)

    def wait_for(self, text: str) -> None:
        self.wait_until(lambda: text in self.output or self.process.poll() is not None)
        assert text in self.output, self.output

    def welcome(self) -> str:
        return self.output[self.output.index("Tollgate is at") : self.output.rindex("; echo")]

    def get(self, path: str) -> int:
        """The status, 0 without an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            return connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return 0
        finally:
            connection.close()

    def kill(self, *words: str) -> None:
        """Kills, of its own processes, the oldest whose command has all these words."""
        [pid, *_] = [pid for pid, command in processes(self.state).items() if all(word in command for word in words)]
        os.kill(pid, signal.SIGKILL)

    def end(self, with_signal: signal.Signals) -> int:
        self.process.send_signal(with_signal)
        code = self.process.wait(PATIENCE_SECONDS)
        self.listener.join(PATIENCE_SECONDS)
        return code


def processes(state: Path) -> dict[int, str]:
    """The commands of the processes that stand in the state folder or were told of it, by pid."""
    commands = {}
    for folder in sorted(Path("/proc").glob("[0-9]*"), key=lambda path: int(path.name)):
        try:
            knows_state = f"TOLLGATE_STATE_DIR={state}\0".encode() in (folder / "environ").read_bytes()
            if knows_state or state in (folder / "cwd").readlink().parents:
                commands[int(folder.name)] = (folder / "cmdline").read_text().replace("\0", " ")
        except OSError:  # it has ended, or is somebody else's
            continue
    return commands


@pytest.fixture
def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def make_run(tmp_path_factory: pytest.TempPathFactory, port: int) -> Iterator[Callable[[], MakeRun]]:
    state = tmp_path_factory.mktemp("tg") / "state"  # short enough for a socket
    started: list[MakeRun] = []

    def start() -> MakeRun:
        started.append(MakeRun(state, port))
        return started[-1]

    yield start
    for run in started:
        run.end(signal.SIGKILL)
    if started:
        started[0].wait_until(lambda: not processes(state))


WHEN_KILLED = {
    ("config.web",): "The web server ended with exit code -9; starting it again",
    ("celery", "--queues celery"): "The worker ended with exit code -9; starting it again",
    ("celery", "--queues webhooks"): "The webhook sender ended with exit code -9; starting it again",
    ("celery", "beat"): "The scheduler ended with exit code -9; starting it again",
    ("bin/postgres",): "PostgreSQL ended; it was started again",
    ("valkey-server",): "Valkey ended; it was started again",
}


CALLERS = 12  # more than the 8 threads
REQUEST_SECONDS = 5


def see_what_happens_while_the_database_hangs(run: MakeRun) -> None:
    """Every process of PostgreSQL is stopped, not dead: nothing refuses, and nothing answers."""
    with stopped(*(pid for pid, command in processes(run.state).items() if "postgres" in command)):
        began = time.monotonic()
        with ThreadPoolExecutor(CALLERS) as pool:
            callers = [pool.submit(run.get, "/v1/plans") for _ in range(CALLERS)]
            assert run.get("/healthz") == 200
            assert time.monotonic() - began < 1
            assert {caller.result() for caller in callers} == {503}
        assert time.monotonic() - began < REQUEST_SECONDS
        assert run.get("/healthz") == 200
    run.wait_until(lambda: run.get("/readyz") == 200)


def database_roles(run: MakeRun) -> str:
    """As whom the web server is signed in to the database."""
    statement = "SELECT DISTINCT usename FROM pg_stat_activity WHERE application_name = 'tollgate web'"
    code = f"from django.db import connection as c; r = c.cursor(); r.execute({statement!r}); print(r.fetchall())"
    outside = {"DATABASE_URL", "REDIS_URL"}
    environment = {name: value for name, value in os.environ.items() if name not in outside}
    return subprocess.check_output(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", code],
        cwd=CHECKOUT,
        env={**environment, "TOLLGATE_STATE_DIR": str(run.state)},
        text=True,
    ).strip()


def test_what_dies_comes_back_what_stops_leaves_nothing_and_the_data_stays(make_run: Callable[[], MakeRun]) -> None:
    """One scenario, because a first start takes its time."""
    first = make_run()
    first.wait_for("Try it")
    assert (first.get("/healthz"), first.get("/readyz")) == (200, 200)

    assert database_roles(first) == "[('tollgate_app',)]"
    see_what_happens_while_the_database_hangs(first)
    for words, says in WHEN_KILLED.items():
        first.kill(*words)
        first.wait_for(says)
    first.wait_until(lambda: first.get("/readyz") == 200)
    assert (first.end(signal.SIGTERM), processes(first.state)) == (0, {})

    second = make_run()
    second.wait_for("Try it")
    assert "Migrating" not in second.output
    assert second.welcome() == first.welcome()
    second.end(signal.SIGKILL)
    second.wait_until(lambda: not processes(second.state))


def test_a_taken_port_is_said_before_anything_starts(make_run: Callable[[], MakeRun], port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        run = make_run()
        assert run.process.wait(PATIENCE_SECONDS) == 1
    run.listener.join()
    assert run.output == f"Port {port} can't be had (Address already in use). Choose another: make run PORT=8001\n"
    assert not run.state.exists()


def test_a_child_that_dies_too_often_is_an_error() -> None:
    child = Child("example", "no_such_module")

    def live_and_die() -> None:
        child.due = 0
        child.tend()
        assert child.process
        child.process.wait()
        child.tend()

    for _ in range(DEATHS - 1):
        live_and_die()
    with pytest.raises(ServerError, match="The example ended with exit code 1, 5 times"):
        live_and_die()
