"""`make run`: all of Tollgate on this machine, as the children of one process that starts, restarts and stops them.

    python -m config.local.supervisor [--port 8000]

It exits with 0 when it's asked to stop (Ctrl-C, SIGTERM), and with 1 and a message if something doesn't stay alive. If
it's killed, the kernel tells its children to end, and the embedded servers stop because nobody is attached any more.
"""

import argparse
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from typing import NoReturn
from urllib.parse import unquote, urlsplit

from config.env import BASE_DIR, STATE_DIR
from config.local import servers, welcome
from config.local.watchdog import ServerError, end_with_parent
from config.web.arguments import port_number

HOST = "127.0.0.1"
TICK_SECONDS = 0.25
WATCH_SECONDS = 1
SILENCE_SECONDS = 60  # how long an embedded server may take to come back
STOP_SECONDS = 15
DEATHS, DEATHS_SECONDS = 5, 60  # give up after this many restarts in this time
EXPECTED_WARNING = "ignore:You're running the worker with superuser privileges"  # by root, as in a container
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """A process that is started again when it dies, after growing pauses. ServerError when it dies too often."""

    def __init__(self, title: str, *module: str, environment: Mapping[str, str] | None = None) -> None:
        self.title, self.command = title, [sys.executable, "-m", *module]
        self.environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        self.due = 0.0
        self.deaths: deque[float] = deque(maxlen=DEATHS)

    def tend(self) -> None:
        if self.process is None:
            if time.monotonic() >= self.due:
                self.process = self._start()
        elif self.process.poll() is not None:
            _kill_group(self.process)  # what it started must not keep the port
            self._schedule(f"The {self.title} ended with exit code {self.process.returncode}")
            self.process = None

    def stop(self) -> None:
        """Asks it to end. After STOP_SECONDS, kills it and what it started."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            say(f"The {self.title} does not stop; killing it.")
        _kill_group(self.process)
        self.process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        """Starts it in its own session, so that Ctrl-C reaches only the supervisor."""
        return subprocess.Popen(  # noqa: S603 (our own program)
            self.command,
            cwd=BASE_DIR,
            env={**os.environ, "PYTHONWARNINGS": EXPECTED_WARNING, **self.environment},
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGTERM),
        )

    def _schedule(self, ended: str) -> None:
        now = time.monotonic()
        self.deaths.append(now)
        recent = sum(now - death < DEATHS_SECONDS for death in self.deaths)
        if recent == DEATHS:
            raise ServerError(f"{ended}, {DEATHS} times within {DEATHS_SECONDS} seconds; its messages are above.")
        pause = 0.5 * 2 ** (recent - 1)
        self.due = now + pause
        say(f"{ended}; starting it again in {pause:g} s.")


class Watch:
    """Watches the embedded servers. They come back by themselves; it says so, or gives up on one that doesn't."""

    def __init__(self) -> None:
        self.runs = servers.tend()
        self.answered = dict.fromkeys(self.runs, time.monotonic())
        self.due = 0.0

    def tend(self) -> None:
        if time.monotonic() >= self.due:
            for title, run in servers.tend().items():
                self._compare(title, run)
            self.due = time.monotonic() + WATCH_SECONDS

    def _compare(self, title: str, run: str) -> None:
        now = time.monotonic()
        if run:
            self.answered[title] = now
            if run != self.runs[title]:
                say(f"{title} ended; it was started again.")
                self.runs[title] = run
        elif now - self.answered[title] > SILENCE_SECONDS:
            raise ServerError(f"{title} has not answered for {SILENCE_SECONDS} seconds; see the logs in {STATE_DIR}.")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m config.local.supervisor", description="Run all of Tollgate.")
    parser.add_argument("--port", type=port_number, default=8000, help="on 127.0.0.1; default: %(default)s")
    port = parser.parse_args().port
    for number in STOP_SIGNALS:
        signal.signal(number, signal.default_int_handler)
    family = children(port)
    try:
        require_free(port)
        prepare(port)
        serve(port, family)
    except KeyboardInterrupt:
        say("Stopping…")
        return 0
    except ServerError as error:
        say(str(error))
        return 1
    finally:
        stop(family)


def children(port: int) -> list[Child]:
    """In the order in which they stop: first the web server, so that no new work comes in, last the worker."""
    celery = ("celery", "--quiet", "--app", "config")
    beat = ("--loglevel", "warning", "--schedule", str(STATE_DIR / f"beat-{port}"))
    worker = ("worker", "--loglevel", "warning", "--concurrency")
    tasks = (*worker, "2", "--queues", "celery", "--hostname", f"tollgate-{port}@%h")
    webhooks = (*worker, "1", "--queues", "webhooks", "--hostname", f"webhooks-{port}@%h")
    owner, application = database_urls()
    only_rows = {"DATABASE_URL": application, "DATABASE_OWNER_URL": ""}
    tables_too = {"DATABASE_URL": application, "DATABASE_OWNER_URL": owner}  # the worker makes partitions
    return [
        Child("web server", "config.web", "--host", HOST, "--port", str(port), environment=only_rows),
        Child("scheduler", *celery, "beat", *beat, environment=only_rows),
        Child("webhook sender", *celery, *webhooks, environment=only_rows),
        Child("worker", *celery, *tasks, environment=tables_too),
    ]


def database_urls() -> tuple[str, str]:
    """For the owner of the tables and for the application. They are the same if DATABASE_URL is given alone."""
    application = os.environ.get("DATABASE_URL", "")
    if application or os.environ.get("TOLLGATE_ENV") == "production":
        return os.environ.get("DATABASE_OWNER_URL") or application, application
    return servers.database_url(), servers.application_url()


def require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise ServerError(
                f"Port {port} can't be had ({error.strerror}). Choose another: make run PORT=8001"
            ) from error


def prepare(port: int) -> None:
    """Starts the servers and prepares the database. ServerError if that fails."""
    if os.environ.get("TOLLGATE_ENV") != "production":
        os.environ.setdefault("BASE_URL", f"http://localhost:{port}")  # passkeys need a name
    say("Preparing the database…")
    servers.attach()
    owner, application = database_urls()
    command = [sys.executable, "-m", "config.local.prepare"]
    if owner != application:
        command += ["--grant-to", unquote(urlsplit(application).username or "")]
    environment = os.environ | {"DATABASE_URL": owner, "DATABASE_OWNER_URL": ""}
    done = subprocess.run(command, cwd=BASE_DIR, env=environment, start_new_session=True, check=False)  # noqa: S603
    if done.returncode != 0:
        raise ServerError("Tollgate could not be prepared; the reason is above.")


def serve(port: int, family: list[Child]) -> NoReturn:
    """Keeps everything running, and prints the welcome once. It ends only by an exception."""
    say("Starting the web server, the scheduler and the worker…")
    watch, welcomed = Watch(), False
    while True:
        for child in family:
            child.tend()
        watch.tend()
        if not welcomed and answers(port):
            say(welcome.text(f"http://{HOST}:{port}", STATE_DIR / "demo.json"))
            welcomed = True
        time.sleep(TICK_SECONDS)


def answers(port: int) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def stop(family: list[Child]) -> None:
    """Stops the children, then the embedded servers, and ignores further signals meanwhile."""
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for child in family:
        child.stop()
    servers.detach()


def say(text: str) -> None:
    with suppress(BrokenPipeError):  # if nobody reads our output any more, the processes must still be stopped
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main())
