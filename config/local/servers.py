"""PostgreSQL and Valkey for people who have none: from their wheels, in the state folder, on private sockets.

A process that calls `attach()` may use them until it ends. They stop with the last such process, even if it's killed:
`config/local/watchdog.py` says how. If DATABASE_URL or REDIS_URL is set, that service is used instead.

The state folder has `postgres/` and `valkey/`, which only their owner may enter. Each has a `log`.
"""

import atexit
import fcntl
import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from urllib.parse import quote

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config.env import STATE_DIR
from config.local import watchdog
from config.local.watchdog import ServerError

APPLICATION_ROLE = "tollgate_app"
LONGEST_SOCKET_PATH = 107  # bytes, of sockaddr_un
POLL_SECONDS = 0.05
QUIET_SECONDS = 2
PATIENCE_SECONDS = 120
LOG_LINES = 15


def database_url() -> str:
    """Where the embedded PostgreSQL listens or would listen, for the owner of the tables.

    A URL for libpq and django-environ alike. django-environ puts `host` and `port` into OPTIONS, because a path that is
    the URL's host would be lower-cased.
    """
    return _database_url("tollgate")


def application_url() -> str:
    """The same for the role of the application, which doesn't own the tables."""
    return _database_url("tollgate", APPLICATION_ROLE)


def redis_url() -> str:
    """Where the embedded Valkey listens or would listen, as redis-py says it: `unix:///path?db=0`."""
    return f"unix://{quote(str(_reach('valkey') / watchdog.VALKEY.socket))}?db=0"


def attach() -> None:
    """Starts the servers that aren't configured elsewhere and don't run yet, and waits until they answer.

    They stay while this process lives. Raises ServerError, with the end of the server's log, if one can't be started.
    """
    if not _claims:
        _claims.extend(_Claim(service) for service in SERVICES if service.wanted())
        atexit.register(detach)
    _wait_for_answers(_claims)
    if any(claim.service is POSTGRES for claim in _claims):
        _make_database()
        _offer_programs()


def detach() -> None:
    """Gives up this process's claims. If they were the last, waits until the servers have stopped. Runs at exit."""
    left = [claim for claim in _claims if claim.process == os.getpid()]  # a fork shares its parent's claims
    _claims.clear()
    for claim in left:
        claim.give_up()
    deadline = time.monotonic() + watchdog.STOP_SECONDS
    while any(claim.is_ending() for claim in left) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def tend() -> dict[str, str]:
    """The runs of the services that this process is attached to: `{"PostgreSQL": the run's name, or "" if none}`.

    A server that died comes back by itself, and its run has another name. If its watchdog died too, this call starts
    another. Raises ServerError if a server doesn't stay alive.
    """
    for claim in _claims:
        claim.tend()
    return {claim.service.server.title: claim.service.run() for claim in _claims}


@dataclass(frozen=True)
class _Service:
    """One of the two servers, seen from the processes that use it."""

    name: str
    variable: str  # of the environment, that names a server of the user's own instead
    run: Callable[[], str]  # names the present run of the server; "" when it doesn't answer

    @property
    def server(self) -> watchdog.Server:
        return watchdog.SERVERS[self.name]

    @property
    def folder(self) -> Path:
        return STATE_DIR / self.name

    def wanted(self) -> bool:
        return not os.environ.get(self.variable) and os.environ.get("TOLLGATE_ENV") != "production"


class _Claim:
    """This process's claim on one server, which keeps the server alive."""

    def __init__(self, service: _Service) -> None:
        self.service, self.process = service, os.getpid()
        self.watchdog: subprocess.Popen[bytes] | None = None
        service.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.lock = (service.folder / "attached.lock").open("ab")
        fcntl.flock(self.lock, fcntl.LOCK_SH)  # waits while the server is being stopped

    def tend(self) -> None:
        """Starts a watchdog unless there is one. ServerError if the one that this process started has given up."""
        if self.watchdog and self.watchdog.poll() == 1:
            raise ServerError(f"{self.service.server.title} can't be started.\n{_end_of(self.service.folder / 'log')}")
        _link(self.service)
        with (self.service.folder / "watchdog.lock").open("ab") as lock:
            if watchdog.take(lock, fcntl.LOCK_EX):
                self.watchdog = _start_watchdog(self.service, lock.fileno())

    def give_up(self) -> None:
        fcntl.flock(self.lock, fcntl.LOCK_UN)

    def is_ending(self) -> bool:
        """Whether nobody is attached any more, but the watchdog hasn't ended yet."""
        with (self.service.folder / "watchdog.lock").open("ab") as lock:
            if watchdog.take(lock, fcntl.LOCK_EX):
                return False
        alone = watchdog.take(self.lock, fcntl.LOCK_EX)
        stopping = not alone and not watchdog.take(self.lock, fcntl.LOCK_SH)
        self.give_up()
        return alone or stopping


def _start_watchdog(service: _Service, lock: int) -> subprocess.Popen[bytes]:
    """Starts a watchdog in its own session, so that the terminal's Ctrl-C doesn't reach it. It inherits the lock."""
    log = service.folder / "log"
    if log.exists():
        log.replace(log.with_name("log.old"))
    with log.open("xb") as output:
        return subprocess.Popen(  # noqa: S603 (our own program)
            [sys.executable, "-I", watchdog.__file__, service.name, str(service.folder)],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=[lock],
            start_new_session=True,
        )


def _wait_for_answers(claims: list[_Claim]) -> None:
    began = reported_at = time.monotonic()
    while claims := [claim for claim in claims if not claim.service.run()]:
        for claim in claims:
            claim.tend()
        if time.monotonic() - reported_at > QUIET_SECONDS:
            reported_at = time.monotonic()
            _say(claims[0].service)
        if reported_at - began > PATIENCE_SECONDS:
            log = claims[0].service.folder / "log"
            raise ServerError(f"{claims[0].service.server.title} does not answer.\n{_end_of(log)}")
        time.sleep(POLL_SECONDS)


def _say(service: _Service) -> None:
    new = not (service.folder / "data").exists()
    sys.stderr.write("Making the database…\n" if new else f"Waiting for {service.server.title}…\n")
    sys.stderr.flush()


def _end_of(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join([f"The end of {log}:", *lines[-LOG_LINES:]])


def _reach(name: str) -> Path:
    """The folder of a server's socket: its data folder, or a link to it in /tmp if that path is too long."""
    data = STATE_DIR / name / "data"
    if len(os.fsencode(data / watchdog.SERVERS[name].socket)) <= LONGEST_SOCKET_PATH:
        return data
    digest = hashlib.sha256(f"{os.geteuid()}:{data}".encode()).hexdigest()
    return Path(f"/tmp/tollgate-{digest[:20]}")  # noqa: S108 (`_link` refuses one that isn't ours)


def _link(service: _Service) -> None:
    """Makes the link of `_reach` if one is needed. ServerError if another user has taken its name."""
    data, link = service.folder / "data", _reach(service.name)
    if link == data:
        return
    with suppress(FileExistsError):
        link.symlink_to(data)
    if link.lstat().st_uid != os.geteuid() or link.readlink() != data:
        raise ServerError(
            f"{link} is not ours: remove it, or set TOLLGATE_STATE_DIR to a shorter path than {STATE_DIR}."
        )


def _database_url(database: str, role: str = "tollgate") -> str:
    return f"postgres://{role}@/{database}?host={quote(str(_reach('postgres')), safe='')}&port=5432"


def _make_database() -> None:
    with psycopg.connect(_database_url("postgres"), autocommit=True) as connection:
        if connection.execute("SELECT FROM pg_database WHERE datname = 'tollgate'").rowcount == 0:
            with suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):  # by another process
                connection.execute("CREATE DATABASE tollgate")
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [APPLICATION_ROLE]).rowcount == 0:
            with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
                connection.execute(f"CREATE ROLE {APPLICATION_ROLE} LOGIN")


def _offer_programs() -> None:
    """Puts psql at the end of PATH, for `manage.py dbshell` on a machine that has none."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    programs = str(watchdog.POSTGRES.program(watchdog.POSTGRES.site()).parent)
    if programs not in path:
        os.environ["PATH"] = os.pathsep.join([*path, programs])


def _postgres_run() -> str:
    try:
        with psycopg.connect(_database_url("postgres"), connect_timeout=5) as connection:
            return str(*connection.execute("SELECT pg_postmaster_start_time()").fetchall()[0])
    except psycopg.OperationalError:
        return ""


def _valkey_run() -> str:
    client = redis.Redis.from_url(redis_url(), socket_timeout=5, retry=Retry(NoBackoff(), 0))
    try:
        return str(cast(dict[str, str], client.info("server"))["run_id"])
    except redis.RedisError:
        return ""
    finally:
        client.close()


POSTGRES = _Service("postgres", "DATABASE_URL", _postgres_run)
VALKEY = _Service("valkey", "REDIS_URL", _valkey_run)
SERVICES = (POSTGRES, VALKEY)
_claims: list[_Claim] = []
