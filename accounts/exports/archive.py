"""ZIP archives made of files that are already compressed, so serving one needs no computation and no memory.

The format is PKWARE's APPNOTE 6.3, with its 64-bit records where an archive is larger than 4 GiB.
"""

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

LOCAL, CENTRAL, END, END_64, LOCATOR_64 = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
UTF_8, DEFLATE, VERSION, VERSION_64 = 1 << 11, 8, 20, 45
FULL, FULL_16 = 0xFFFFFFFF, 0xFFFF  # the number is in a 64-bit record


@dataclass(frozen=True)
class Entry:
    """A file in the archive: its sizes before and after, and its checksum."""

    name: str
    size: int
    compressed: int
    crc: int


def compress(content: bytes) -> tuple[bytes, int]:
    """The bytes compressed as in an archive, and their checksum."""
    squeezing = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeezing.compress(content) + squeezing.flush(), zlib.crc32(content)


def size_of(entries: Sequence[Entry], made_at: datetime) -> int:
    return sum(len(part) for part in _parts(entries, made_at, lambda _: b"")) + sum(each.compressed for each in entries)


def stream(entries: Sequence[Entry], made_at: datetime, content: Callable[[int], bytes]) -> Iterator[bytes]:
    """The archive. `content` gives the compressed bytes of an entry by its place."""
    return _parts(entries, made_at, content)


def _parts(entries: Sequence[Entry], made_at: datetime, content: Callable[[int], bytes]) -> Iterator[bytes]:
    directory, offset = [], 0
    for place, entry in enumerate(entries):
        header = LOCAL + _described(entry, made_at) + struct.pack("<H", 0) + entry.name.encode()
        yield header
        yield content(place)
        directory.append(_listed(entry, made_at, offset))
        offset += len(header) + entry.compressed
    yield from directory
    yield _end(len(directory), sum(map(len, directory)), offset)


def _described(entry: Entry, made_at: datetime) -> bytes:
    """What both headers of a file have in common, up to the length of its name."""
    date = (made_at.year - 1980) << 9 | made_at.month << 5 | made_at.day
    time = made_at.hour << 11 | made_at.minute << 5 | made_at.second // 2
    sizes = (entry.crc, entry.compressed, entry.size, len(entry.name.encode()))
    return struct.pack("<HHHHHIIIH", VERSION, UTF_8, DEFLATE, time, date, *sizes)


def _listed(entry: Entry, made_at: datetime, offset: int) -> bytes:
    extra = struct.pack("<HHQ", 1, 8, offset) if offset >= FULL else b""
    attributes = struct.pack("<HHHHII", len(extra), 0, 0, 0, 0o600 << 16, min(offset, FULL))
    version = struct.pack("<H", 3 << 8 | VERSION_64)  # 3: the attributes are those of Unix
    return CENTRAL + version + _described(entry, made_at) + attributes + entry.name.encode() + extra


def _end(count: int, length: int, offset: int) -> bytes:
    end = END + struct.pack("<HHHHIIH", 0, 0, min(count, FULL_16), min(count, FULL_16), length, min(offset, FULL), 0)
    if count < FULL_16 and offset < FULL:
        return end
    record = struct.pack("<QHHIIQQQQ", 44, VERSION_64, VERSION_64, 0, 0, count, count, length, offset)
    return END_64 + record + LOCATOR_64 + struct.pack("<IQI", 0, offset + length, 1) + end
