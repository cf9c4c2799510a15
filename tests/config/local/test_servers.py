"""The embedded servers, with real processes: who starts them, who keeps them, what brings them back.

Each test has a state folder of its own, and kills only what runs in it.
"""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from psycopg.conninfo import conninfo_to_dict

from config.local import watchdog

pytestmark = pytest.mark.waits

T = TypeVar("T")
Attach = Callable[..., "Attacher"]

CHECKOUT = Path(__file__).resolve().parents[3]
FAST = "-c fsync=off -c shared_buffers=16MB"
ATTACH = """
import sys
from config.local import servers, watchdog
try:
    servers.attach()
except watchdog.ServerError as error:
    sys.exit(f"refused: {error}")
print(servers.database_url(), servers.redis_url(), *servers.tend().values(), sep="\\n", flush=True)
for line in sys.stdin:
    print(*servers.tend().values(), sep="\\n", flush=True)
"""


class Attacher:
    """A process that is attached to the servers of a state folder until it is told to end."""

    def __init__(self, state: Path, **environment: str) -> None:
        inherited = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
        own = {"TOLLGATE_STATE_DIR": str(state), "TOLLGATE_POSTGRES_OPTIONS": FAST}
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, "-c", ATTACH],
            cwd=CHECKOUT,
            env=inherited | own | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ready(self) -> "Attacher":
        self.database_url, self.redis_url, *self.runs = self._lines(4)
        assert all(self.runs), self.process.communicate()[1]
        return self

    def tend(self) -> list[str]:
        """The names of the two runs, "" for a server that does not answer."""
        assert self.process.stdin
        print("tend", file=self.process.stdin, flush=True)
        return self._lines(2)

    def has_another_run(self) -> bool:
        """Whether both servers answer, in one look, and not both as they did at first."""
        runs = self.tend()
        return all(runs) and runs != self.runs

    def pid(self, name: str) -> int:
        """The process that listens on a server's socket."""
        path = self.state / name / "data" / watchdog.SERVERS[name].socket
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
            return int(struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0])

    def pids(self) -> list[int]:
        """The two servers and their watchdogs."""
        servers = [self.pid(name) for name in watchdog.SERVERS]
        return servers + [parent(server) for server in servers]

    def end(self) -> str:
        """What it said on stderr."""
        return self.process.communicate(timeout=20)[1]

    def _lines(self, count: int) -> list[str]:
        assert self.process.stdout
        return [self.process.stdout.readline().strip() for _ in range(count)]


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def living(pids: list[int]) -> list[int]:
    """Those that have not ended; one that has, but was not waited for by its parent, has."""
    stats = {pid: Path(f"/proc/{pid}/stat") for pid in pids}
    return [
        pid for pid, stat in stats.items() if stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"
    ]


def until(condition: Callable[[], T], seconds: float = 15) -> T:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.05)
    return value


@pytest.fixture
def tmp_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Short enough for a socket."""
    return tmp_path_factory.mktemp("tg")


@pytest.fixture
def attach(tmp_path: Path) -> Iterator[Attach]:
    """Starts attached processes, and ends them after the test."""
    with ExitStack() as stack:

        def start(state: Path = tmp_path / "state", **environment: str) -> Attacher:
            attacher = Attacher(state, **environment)
            stack.callback(attacher.process.wait)
            stack.callback(attacher.process.kill)
            return attacher

        yield start


def write(attacher: Attacher) -> None:
    with psycopg.connect(attacher.database_url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS number")
    with redis.Redis.from_url(attacher.redis_url) as client:
        client.set("kept", "7")


def read(attacher: Attacher) -> tuple[object, object]:
    with psycopg.connect(attacher.database_url) as connection, redis.Redis.from_url(attacher.redis_url) as client:
        return connection.execute("SELECT number FROM kept").fetchall(), client.get("kept")


KEPT = ([(7,)], b"7")


def test_the_last_one_out_stops_the_servers_and_the_next_finds_the_data(attach: Attach) -> None:
    first = attach().ready()
    second = attach().ready()
    pids = first.pids()
    write(first)
    first.end()
    assert (living(pids), second.tend(), read(second)) == (pids, first.runs, KEPT)
    second.end()
    assert living(pids) == []

    third = attach().ready()
    assert read(third) == KEPT


def test_processes_that_start_at_once_share_one_run(attach: Attach) -> None:
    attachers = [attach() for _ in range(4)]
    assert len({tuple(attacher.ready().runs) for attacher in attachers}) == 1


def test_a_killed_process_leaves_no_server_behind(attach: Attach) -> None:
    attacher = attach().ready()
    pids = attacher.pids()
    attacher.process.kill()
    until(lambda: not living(pids))


@pytest.mark.parametrize(("name", "other"), [("postgres", "valkey"), ("valkey", "postgres")])
def test_a_killed_server_comes_back_with_its_data(attach: Attach, name: str, other: str) -> None:
    attacher = attach().ready()
    write(attacher)
    time.sleep(1.1 if name == "valkey" else 0)  # Valkey may lose the last second
    untouched = attacher.pid(other)
    os.kill(attacher.pid(name), signal.SIGKILL)
    until(attacher.has_another_run)
    assert (read(attacher), attacher.pid(other)) == (KEPT, untouched)


def test_a_killed_watchdog_is_replaced(attach: Attach) -> None:
    attacher = attach().ready()
    write(attacher)
    before = attacher.pid("postgres")
    os.kill(parent(before), signal.SIGKILL)
    until(attacher.has_another_run)
    assert (read(attacher), living([before])) == (KEPT, [])


def test_the_pid_file_of_a_crash_does_not_block_the_start(attach: Attach) -> None:
    first = attach().ready()
    files = [first.state / "postgres/data" / name for name in watchdog.POSTGRES.stale]
    texts = [file.read_text() for file in files]
    postgres, owner = str(first.pid("postgres")), files[0].stat().st_uid
    first.end()
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE, user=owner if os.geteuid() == 0 else None) as other:
        for file, text in zip(files, texts, strict=True):
            file.write_text(text.replace(postgres, str(other.pid)))
        attach().ready()


def test_half_a_database_of_a_killed_start_is_made_anew(attach: Attach, tmp_path: Path) -> None:
    draft = tmp_path / "state/postgres/data.new"
    draft.mkdir(parents=True)
    (draft / "PG_VERSION").write_text("18")
    attach().ready()
    assert not draft.exists()


def test_a_long_path_is_reached_through_a_link(attach: Attach, tmp_path: Path) -> None:
    attacher = attach(tmp_path / ("long" * 30)).ready()
    assert str(tmp_path) not in attacher.database_url + attacher.redis_url
    write(attacher)
    assert read(attacher) == KEPT
    for link in {
        str(conninfo_to_dict(attacher.database_url)["host"]),
        str(Path(urlsplit(attacher.redis_url).path).parent),
    }:
        Path(link).unlink()


def test_a_server_that_cannot_start_is_an_error_that_shows_its_log(attach: Attach) -> None:
    output = attach(TOLLGATE_POSTGRES_OPTIONS="-c no_such_setting=1").end()
    assert "refused: PostgreSQL can't be started." in output
    assert 'unrecognized configuration parameter "no_such_setting"' in output


def test_only_the_owner_may_enter(attach: Attach) -> None:
    attacher = attach().ready()
    folders = [attacher.state / name / end for name in watchdog.SERVERS for end in (".", "data")]
    assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}


@pytest.mark.parametrize("variables", [{"DATABASE_URL": "x", "REDIS_URL": "x"}, {"TOLLGATE_ENV": "production"}])
def test_nothing_starts_where_it_is_not_wanted(attach: Attach, variables: dict[str, str]) -> None:
    attacher = attach(**variables)
    attacher.end()
    assert not attacher.state.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")
class TestRoot:
    def test_the_servers_run_as_an_ordinary_user_and_parents_stay_closed(self, attach: Attach, tmp_path: Path) -> None:
        closed = tmp_path / "closed"
        closed.mkdir(mode=0o700)
        attacher = attach(closed / "state").ready()
        assert all(Path(f"/proc/{attacher.pid(name)}").stat().st_uid != 0 for name in watchdog.SERVERS)
        assert closed.stat().st_mode & 0o777 == 0o700

    def test_programs_that_the_user_cannot_run_are_copied(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(watchdog, "CACHE", tmp_path / "cache")
        monkeypatch.setattr(watchdog.Watchdog, "_runs", lambda watchdog, binary: False)
        for _ in range(2):
            binary = watchdog.Watchdog(watchdog.POSTGRES, tmp_path).binary
        assert (tmp_path / "cache") in binary.parents
        assert binary.stat().st_mode & 0o777 == 0o755
        assert subprocess.check_output([binary.with_name("initdb"), "--version"]).startswith(b"initdb (PostgreSQL) 18")
        assert len(list((tmp_path / "cache").iterdir())) == 1
