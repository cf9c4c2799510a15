"""The servers and databases that the benchmarks run on: from the wheels, in `.tollgate/benchmark`, with fsync on.

Call `open_stage()` before anything else, because Tollgate reads its settings from the environment only once. Each row
gets its own database, cloned from `cast`, so it never sees what another row left behind.
"""

import fcntl
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg

ROOT = Path(__file__).resolve().parent.parent
STATE = ROOT / ".tollgate" / "benchmark"
HOST = "127.0.0.1"
CAST = "cast"
FOREIGN = ("DATABASE_URL", "REDIS_URL", "TOLLGATE_ENV", "TOLLGATE_POSTGRES_OPTIONS")  # holds no real data; fsync is on


@contextmanager
def open_stage() -> Iterator[None]:
    """Runs PostgreSQL and Valkey until the block ends. Only one benchmark can run at a time."""
    for variable in FOREIGN:
        os.environ.pop(variable, None)
    os.environ |= {"TOLLGATE_STATE_DIR": str(STATE), "DJANGO_SETTINGS_MODULE": "benchmarks.settings"}
    STATE.mkdir(parents=True, exist_ok=True)
    with (STATE / "run.lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("Another benchmark is running here.") from None
        from config.local import servers

        servers.attach()
        os.environ |= {"DATABASE_URL": url(CAST), "REDIS_URL": servers.redis_url()}
        clear()  # left by a run that was killed
        try:
            yield
        finally:
            clear()
            servers.detach()


def url(database: str) -> str:
    from config.local import servers

    return servers.database_url().replace("/tollgate?", f"/{database}?")


def socket_folder() -> str:
    return parse_qs(urlsplit(url(CAST)).query)["host"][0]


def connect(database: str, *, autocommit: bool = True) -> psycopg.Connection:
    return psycopg.connect(host=socket_folder(), port=5432, user="tollgate", dbname=database, autocommit=autocommit)


def databases() -> list[str]:
    """The databases that the benchmarks made: all except PostgreSQL's own and the empty default one."""
    with connect("postgres") as connection:
        cursor = connection.execute("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY datname")
        return [name for (name,) in cursor if name not in ("postgres", "tollgate")]


def clear() -> None:
    for name in databases():
        drop(name)


def create(name: str, template: str = CAST) -> None:
    drop(name)
    with connect("postgres") as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def drop(name: str) -> None:
    with connect("postgres") as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextmanager
def database(name: str) -> Iterator[str]:
    """Yields a fresh clone of the cast's database and drops it at the end."""
    create(name)
    try:
        yield name
    finally:
        drop(name)


def environment(name: str) -> dict[str, str]:
    """The environment of a child process that works on this database."""
    return os.environ | {"DATABASE_URL": url(name), "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
