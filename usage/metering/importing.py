"""Importing access logs: in batches, resumable, and counted once however often the same contents come again.

How far a file was read is written in the transaction that records its events, so that an import that was killed goes
on where it stopped. Each event's id is the digest of the contents, the meter, and the number of the line.
"""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.ledger import posting
from billing.models import Meter
from usage import metering
from usage.metering import access_log
from usage.metering.parsing import BATCH_LIMIT
from usage.models import ImportedFile

GZIP_MAGIC = b"\x1f\x8b"
UNREADABLE = (OSError, EOFError, zlib.error)  # no such file, cut off, or garbled


@dataclass
class Summary:
    """What an import did. `problems` holds (line number, reason) of the lines that were skipped.

    `already_counted` are the events that other imports of the same contents recorded, before this one or beside it.
    """

    lines: int = 0
    accepted: int = 0
    duplicate: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    already_counted: int = 0

    @property
    def readable(self) -> int:
        return self.accepted + self.duplicate + self.already_counted


def open_log(path: Path) -> BinaryIO:
    """The contents of a log, plain or gzipped."""
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP_MAGIC
    return cast(BinaryIO, gzip.open(path, "rb") if is_gzip else path.open("rb"))


def survey(path: Path) -> tuple[bytes, int]:
    """The SHA-256 of the contents, unpacked, and the number of lines."""
    digest, lines = hashlib.sha256(), 0
    with open_log(path) as contents:
        for line in contents:
            digest.update(line)
            lines += 1
    return digest.digest(), lines


def run(
    path: Path,
    *,
    digest: bytes,
    organization: Organization,
    meter: Meter,
    key: ApiKey | None = None,
    on_progress: Callable[[int], object] = lambda lines: None,
    on_problem: Callable[[int, str], None] = lambda line, reason: None,
) -> Summary:
    """Import what of the file was not imported yet. The callbacks hear of each batch, and of each line skipped."""
    imported, _ = ImportedFile.objects.get_or_create(
        organization=organization, meter=meter, digest=digest, defaults={"name": path.name[:255]}
    )
    summary = Summary()
    with open_log(path) as contents:
        for lines in _batches(contents):
            on_progress(len(lines))
            summary.lines += len(lines)
            if lines[-1][0] > imported.lines_read:
                _import(lines, imported, key, summary, on_problem)
    ImportedFile.objects.filter(pk=imported.pk, finished_at=None).update(finished_at=timezone.now())
    imported.refresh_from_db(fields=["events"])
    summary.already_counted = imported.events - summary.accepted - summary.duplicate
    return summary


def _batches(contents: Iterable[bytes]) -> Iterator[list[tuple[int, bytes]]]:
    numbered = enumerate(contents, start=1)
    while batch := list(islice(numbered, BATCH_LIMIT)):
        yield batch


@transaction.atomic
def _import(
    lines: list[tuple[int, bytes]],
    imported: ImportedFile,
    key: ApiKey | None,
    summary: Summary,
    on_problem: Callable[[int, str], None],
) -> None:
    """One batch and the note of it, in one transaction; a second import of the same file waits here, and skips."""
    posting.lock([imported.organization.root_id])
    at = ImportedFile.objects.get(pk=imported.pk)
    unread = [(number, line) for number, line in lines if number > at.lines_read]
    batch, numbers = [], []
    problems: list[tuple[int, str]] = []
    for number, line in unread:
        try:
            batch.append(_event(number, line, imported, key))
            numbers.append(number)
        except ValueError as error:
            problems.append((number, str(error)))
    recorded = metering.record(batch)
    results = zip(numbers, recorded.results, strict=True)
    problems += [(number, result.detail) for number, result in results if result.rejection]
    at.lines_read = max(at.lines_read, lines[-1][0])
    at.events += recorded.count("accepted") + recorded.count("duplicate")
    at.skipped += len(problems)
    at.save(update_fields=["lines_read", "events", "skipped"])
    summary.accepted += recorded.count("accepted")
    summary.duplicate += recorded.count("duplicate")
    for problem in sorted(problems):
        summary.problems.append(problem)
        on_problem(*problem)


def _event(number: int, line: bytes, imported: ImportedFile, key: ApiKey | None) -> dict[str, Any]:
    request = access_log.parse(line.decode("utf-8", "replace"))
    return {
        "id": f"{bytes(imported.digest).hex()}:{imported.meter_id}:{number}",
        "key_id": key.public_id if key else None,
        "organization": imported.organization.public_id,
        "meter": imported.meter.slug,
        "endpoint": request.endpoint,
        "status": request.status,
        "occurred_at": request.occurred_at.isoformat(),
    }
