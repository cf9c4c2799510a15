"""Follows a proxy's access log and writes its requests into a spool, each of them once.

The position is stored in the spool's own file, in the same transaction that adds the events. So it doesn't matter at
which byte we are killed. A log is known by its first line, not by its name or inode: a rotated log is found again under
its new name, compressed or not, and read to its end before the next.
"""

import gzip
import hashlib
import logging
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from tollgate_client.access_log import Format, Unreadable
from tollgate_client.spool import Position, Spool

BATCH = 1000
LONGEST_LINE = 1 << 20  # bytes; a longer one is not a request
GZIP_MAGIC = b"\x1f\x8b"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Log:
    """A file of the log. `head` is the digest of its first line, which is unique to the file."""

    path: Path
    head: str
    is_current: bool


class Tail:
    """`path` is the log that the proxy writes. Its rotated files stand beside it, and their names begin with its name.

    A rotated file is left for the next when nothing was added to it for `settled` seconds, since the workers of a proxy
    don't change to the new file all at once.
    """

    def __init__(self, path: Path, spool: Spool, form: Format, *, settled: float = 5) -> None:
        self.path, self.spool, self.form, self.settled = path, spool, form, settled
        self.unreadable = 0
        self.is_waiting = False  # there's a newer file than the one that was read to its end

    def catch_up(self) -> int:
        """Reads what was written since the last time. Returns the number of requests that were spooled."""
        logs, offset = self._left()
        count, self.is_waiting = 0, False
        for part in logs:
            count += self._read(part, offset)
            offset = 0
            if not part.is_current and time.time() - _changed(part.path) < self.settled:
                self.is_waiting = True
                break
        return count

    def _left(self) -> tuple[list[Log], int]:
        """The files that aren't read to their end, in order, and where the first one goes on."""
        position, head = self.spool.position(str(self.path)), _head(self.path)
        current = [Log(self.path, head, is_current=True)] if head else []
        if position is None or position.head == head:
            return current, position.offset if position else 0
        logs = [*self._rotated(), *current]
        places = [place for place, part in enumerate(logs) if part.head == position.head]
        if places:
            return logs[places[0] :], position.offset
        if head:  # otherwise the proxy hasn't begun the new file
            log.error("the file that was read last is gone, so lines may be missing: %s", self.path)
        return (logs if head else []), 0

    def _rotated(self) -> list[Log]:
        """The oldest first."""
        paths = [path for path in self.path.parent.glob(f"{self.path.name}?*") if path.is_file()]
        heads = [(path, _head(path)) for path in sorted(paths, key=_changed)]
        return [Log(path, head, is_current=False) for path, head in heads if head]

    def _read(self, part: Log, offset: int) -> int:
        count = 0
        with opened(part.path) as file:
            if _digest(file.readline(LONGEST_LINE)) != part.head:
                return 0  # it was rotated just now
            file.seek(offset)
            while True:
                events, start = [], offset
                for _ in range(BATCH):
                    line = file.readline(LONGEST_LINE)
                    if not line or (part.is_current and not line.endswith(b"\n") and len(line) < LONGEST_LINE):
                        break  # the proxy is still writing it
                    event = self._event(line, f"{part.head[:20]}-{offset}")
                    events += [event] if event else []
                    offset += len(line)
                if offset == start:
                    return count
                self.spool.add(events, Position(str(self.path), part.head, offset))
                count += len(events)

    def _event(self, line: bytes, identity: str) -> dict[str, object] | None:
        text = line.decode("utf-8", errors="replace").strip()
        try:
            return self.form.event(text, identity) if text else None
        except Unreadable as error:
            self.unreadable += 1
            log.warning("a line that can't be read, %s: %s", identity, error)
            return None


def opened(path: Path) -> IO[bytes]:
    """A log for reading, unpacked if it's compressed."""
    file = path.open("rb")
    magic = file.read(2)
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file)) if magic == GZIP_MAGIC else file


def _head(path: Path) -> str:
    """Empty as long as the first line isn't whole, or if the file was just renamed or can't be read."""
    try:
        with opened(path) as file:
            return _digest(file.readline(LONGEST_LINE))
    except (OSError, EOFError, zlib.error):
        return ""


def _digest(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest() if line.endswith(b"\n") else ""


def _changed(path: Path) -> float:
    """When it was last written to, as a Unix time."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0
