"""Reported usage that Tollgate hasn't acknowledged yet, in a file that survives the process."""

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from tollgate_client.client import encode
from tollgate_client.types import EventResult, UsageEvent

TABLES = """
CREATE TABLE IF NOT EXISTS waiting (place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, event TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rejected (id TEXT NOT NULL, event TEXT NOT NULL, code TEXT, detail TEXT, at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS position (path TEXT PRIMARY KEY, head TEXT NOT NULL, place INTEGER NOT NULL);
"""


@dataclass(frozen=True)
class Position:
    """How far a log was read: up to `offset` of the file whose first line has the digest `head`."""

    path: str
    head: str
    offset: int


class Spool:
    """A queue of events in an SQLite file. When `add` returns, they survive a kill -9 of the process.

    With `durable` they survive a loss of power too, which costs a flush of the disk each time. Several processes may
    share a file. What two of them send at the same time is counted once.
    """

    def __init__(self, path: str | Path, *, durable: bool = False) -> None:
        self._lock = Lock()
        self._database = sqlite3.connect(path, timeout=30, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        self._database.executescript(TABLES)

    def add(self, events: Iterable[Mapping[str, Any]], position: Position | None = None) -> None:
        """Writes events down in one transaction. Each must already have its `id` and its `occurred_at`.

        If they come from a log, `position` is where they end.
        """
        rows = [(event["id"], encode(event).decode()) for event in events]
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany("INSERT INTO waiting (id, event) VALUES (?, ?)", rows)
            if position is not None:
                row = (position.path, position.head, position.offset)
                self._database.execute("INSERT OR REPLACE INTO position VALUES (?, ?, ?)", row)

    def position(self, path: str) -> Position | None:
        """How far the log at `path` was read."""
        with self._lock:
            row = self._database.execute("SELECT path, head, place FROM position WHERE path = ?", [path]).fetchone()
        return Position(*row) if row else None

    def oldest(self, limit: int) -> list[tuple[int, UsageEvent]]:
        """The events that have waited longest, each with its place in the queue."""
        with self._lock:
            rows = self._database.execute("SELECT place, event FROM waiting ORDER BY place LIMIT ?", [limit]).fetchall()
        return [(place, json.loads(event)) for place, event in rows]

    def settle(self, places: Sequence[int], rejected: Mapping[int, EventResult]) -> None:
        """Deletes acknowledged events. Rejected ones are kept separately, with the reason."""
        keep = "INSERT INTO rejected SELECT id, event, ?, ?, ? FROM waiting WHERE place = ?"
        reasons = [(result.get("code"), result.get("detail"), time.time(), place) for place, result in rejected.items()]
        with self._lock, self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(keep, reasons)
            self._database.executemany("DELETE FROM waiting WHERE place = ?", [(place,) for place in places])

    def waiting(self) -> int:
        return self._count("SELECT count(*) FROM waiting")

    def rejected(self) -> list[tuple[UsageEvent, str, str]]:
        """The rejected events, each with code and detail."""
        with self._lock:
            rows = self._database.execute("SELECT event, code, detail FROM rejected ORDER BY at").fetchall()
        return [(json.loads(event), code, detail) for event, code, detail in rows]

    def close(self) -> None:
        with self._lock:
            self._database.close()

    def _count(self, query: str) -> int:
        with self._lock:
            return int(self._database.execute(query).fetchone()[0])
