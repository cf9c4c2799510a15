"""Access logs to import."""

import gzip
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2015, 5, 17, tzinfo=UTC)


def lines(how_many: int) -> list[str]:
    """Requests of `/0`, `/1`, …, a second apart; every tenth failed."""
    return [_line(n, START + timedelta(seconds=n), 500 if n % 10 == 0 else 200) for n in range(how_many)]


def _line(n: int, moment: datetime, status: int) -> str:
    return f'::1 - - [{moment:%d/%b/%Y:%H:%M:%S %z}] "GET /{n}?q HTTP/1.1" {status} 2326'


def write(path: Path, content: list[str | bytes] | list[str]) -> Path:
    """A log of these lines; gzipped where the name says so."""
    raw = b"".join((line if isinstance(line, bytes) else line.encode()) + b"\n" for line in content)
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path
