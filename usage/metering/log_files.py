"""Log files, plain or gzipped, and the digests that let us recognize their lines."""

import gzip
import hashlib
import shutil
import sys
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

STANDARD_INPUT = Path("-")
GZIP_MAGIC = b"\x1f\x8b"
UNREADABLE = (OSError, EOFError, zlib.error)  # missing, truncated or corrupt


@dataclass(frozen=True)
class LogLine:
    """A line, its number from 1, and the SHA-256 of everything from the first line up to its end.

    Every line counts as if it ended in `\\n`, even a last one without an end: a log that goes on has the same digests.
    """

    number: int
    content: bytes
    digest: bytes


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A log that can be read several times. Standard input (`-`) and pipes are copied to a temporary file first."""
    with sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb") as source:
        if source is not sys.stdin.buffer and source.seekable():
            yield source
            return
        with tempfile.TemporaryFile() as copy:
            shutil.copyfileobj(source, copy)
            yield copy


def lines(file: IO[bytes]) -> Iterator[LogLine]:
    """The lines of a log from its first one, unpacked if it is gzipped."""
    file.seek(0)
    is_gzip = file.read(2) == GZIP_MAGIC
    file.seek(0)
    sha256 = hashlib.sha256()
    for number, content in enumerate(cast(IO[bytes], gzip.GzipFile(fileobj=file)) if is_gzip else file, start=1):
        sha256.update(content.rstrip(b"\r\n") + b"\n")
        yield LogLine(number, content, sha256.copy().digest())
