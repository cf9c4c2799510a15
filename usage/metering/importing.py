"""Importing access logs: in batches, resumable, and each line counted once, however often its log comes again.

The position in the log is written in the transaction that records the events, so an import that was killed continues
where it stopped. An import remembers the digest of the lines that it read. If a log begins with these, it has grown
since, or is the same, and only what comes after them is counted.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import IO, Any

from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from apikeys.models import ApiKey
from billing import clock
from billing.ledger import posting
from billing.models import Meter
from usage import metering
from usage.metering import access_log, log_files
from usage.metering.log_files import LogLine
from usage.metering.parsing import BATCH_LIMIT
from usage.models import ImportedFile


@dataclass(frozen=True)
class Log:
    """A log by its name, and what a request in it counts as."""

    name: str
    organization: Organization
    meter: Meter
    key: ApiKey | None = None


@dataclass(frozen=True)
class Survey:
    """A log before its import: how many lines it has, the digest of them all, and how many of them an import read
    before, from the first one on. `earlier` is the one that read the most."""

    log: Log
    lines: int
    digest: bytes
    earlier: ImportedFile | None

    @property
    def lines_before(self) -> int:
        return self.earlier.lines_read if self.earlier else 0


@dataclass
class Summary:
    """What an import did. `problems` are the numbers of the lines that were skipped, and why.

    `already_counted` are the events of these lines that other imports recorded, before this one or beside it.
    """

    lines: int = 0
    accepted: int = 0
    duplicate: int = 0
    problems: list[tuple[int, str]] = field(default_factory=list)
    already_counted: int = 0

    @property
    def readable(self) -> int:
        return self.accepted + self.duplicate + self.already_counted


def survey(file: IO[bytes], log: Log) -> Survey:
    """Read the log once, and find what was imported of it."""
    imports: defaultdict[int, dict[bytes, ImportedFile]] = defaultdict(dict)
    for row in ImportedFile.objects.of(log.organization).filter(meter=log.meter, lines_read__gt=0):
        imports[row.lines_read][bytes(row.digest_read)] = row
    number, digest, earlier = 0, b"", None
    for line in log_files.lines(file):
        number, digest = line.number, line.digest
        if number in imports:
            earlier = imports[number].get(digest, earlier)
    return Survey(log, number, digest, earlier)


def run(
    file: IO[bytes],
    surveyed: Survey,
    *,
    on_progress: Callable[[int], object] = lambda lines: None,
    on_problem: Callable[[int, str], None] = lambda line, reason: None,
) -> Summary:
    """Import what was not imported of the log yet. The callbacks hear of each batch, and of each line skipped."""
    summary = Summary()
    if not surveyed.lines:
        return summary
    imported = _begin(surveyed)
    for batch in _batches(islice(log_files.lines(file), surveyed.lines)):
        on_progress(len(batch))
        summary.lines += len(batch)
        if batch[-1].number > imported.lines_read:
            _import(batch, imported, surveyed.log.key, summary, on_problem)
    ImportedFile.objects.filter(pk=imported.pk, finished_at=None).update(finished_at=timezone.now())
    imported.refresh_from_db(fields=["events"])
    summary.already_counted = imported.events - summary.accepted - summary.duplicate
    return summary


def _begin(surveyed: Survey) -> ImportedFile:
    """The row of this log, which knows as many of its lines as any import has read."""
    log = surveyed.log
    imported, _ = ImportedFile.objects.get_or_create(
        organization=log.organization, meter=log.meter, digest=surveyed.digest, defaults={"name": log.name[:255]}
    )
    if earlier := surveyed.earlier:
        read = {field: getattr(earlier, field) for field in ("lines_read", "digest_read", "events", "skipped")}
        ImportedFile.objects.filter(pk=imported.pk, lines_read__lt=earlier.lines_read).update(**read)
        imported.refresh_from_db()
    return imported


def _batches(lines: Iterator[LogLine]) -> Iterator[list[LogLine]]:
    while batch := list(islice(lines, BATCH_LIMIT)):
        yield batch


@transaction.atomic
def _import(
    batch: list[LogLine],
    imported: ImportedFile,
    key: ApiKey | None,
    summary: Summary,
    on_problem: Callable[[int, str], None],
) -> None:
    """One batch and how far it got, in one transaction; a second import of the same log waits here, and skips."""
    posting.lock([imported.organization.root_id], clock.now(imported.organization))
    progress = ImportedFile.objects.get(pk=imported.pk)
    events, numbers, problems = _read(batch, progress, imported, key)
    recorded = metering.record(events)
    results = zip(numbers, recorded.results, strict=True)
    problems += [(number, result.detail) for number, result in results if result.rejection]
    if batch[-1].number > progress.lines_read:
        progress.lines_read, progress.digest_read = batch[-1].number, batch[-1].digest
    progress.events += recorded.count("accepted") + recorded.count("duplicate")
    progress.skipped += len(problems)
    progress.save(update_fields=["lines_read", "digest_read", "events", "skipped"])
    summary.accepted += recorded.count("accepted")
    summary.duplicate += recorded.count("duplicate")
    for problem in sorted(problems):
        summary.problems.append(problem)
        on_problem(*problem)


def _read(
    batch: Iterable[LogLine], progress: ImportedFile, imported: ImportedFile, key: ApiKey | None
) -> tuple[list[dict[str, Any]], list[int], list[tuple[int, str]]]:
    """The events of the lines that were not read yet, the numbers of these lines, and those that are no requests."""
    events, numbers = [], []
    problems: list[tuple[int, str]] = []
    for line in batch:
        if line.number > progress.lines_read:
            try:
                events.append(_event(line, imported, key))
                numbers.append(line.number)
            except ValueError as error:
                problems.append((line.number, str(error)))
    return events, numbers, problems


def _event(line: LogLine, imported: ImportedFile, key: ApiKey | None) -> dict[str, Any]:
    """The id is the digest of the log up to this line: the same line of the same log, however much the log grows."""
    request = access_log.parse(line.content.decode("utf-8", "replace"))
    return {
        "id": f"{line.digest.hex()}:{imported.meter_id}",
        "key_id": key.public_id if key else None,
        "organization": imported.organization.public_id,
        "meter": imported.meter.slug,
        "endpoint": request.endpoint,
        "status": request.status,
        "occurred_at": request.occurred_at.isoformat(),
    }
