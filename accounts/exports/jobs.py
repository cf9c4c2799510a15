"""The job of an export: a row that a worker works on, section by section.

Each step is a transaction that writes files and advances the job. So a job that was killed continues where it stopped,
on any machine. The files are rows too, so machines don't need a shared disk.
"""

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models.functions import Length

from accounts import events, people, scopes
from accounts.access import require
from accounts.credentials import Credential
from accounts.exports import archive, rows, sections
from accounts.exports.sections import Section
from accounts.lib import broker, exact_json, spreadsheets
from accounts.lib.problems import Conflict, TooManyRequests
from accounts.lib.sentences import filled
from accounts.models import Export, ExportFile, Organization, User

KEPT = timedelta(days=7)
MOST_A_DAY = 3
TASK = "accounts.tasks.make_exports"
SECONDS = 50  # after that another run goes on, so that a large export doesn't keep a worker for hours


class ExportUnderWay(Conflict):
    """An organization or a person has one export at a time."""

    code = "export_under_way"
    detail = "An export is being made already."


class ExportNotReady(Conflict):
    """Its files aren't complete yet, or have been deleted."""

    code = "export_not_ready"
    detail = "The export is not ready, or was deleted after seven days."


class TooManyExports(TooManyRequests):
    """Three a day."""

    code = "too_many_exports"
    detail = filled("At most %(most)s exports a day.", most=MOST_A_DAY)


def check_may_export(credential: Credential) -> None:
    """An organization's export contains everything, so callers who may only read a part of it can't have one."""
    for scope in sorted(scopes.READS):
        require(credential, scope)


@transaction.atomic
def of_organization(organization: Organization, *, by: str, now: datetime) -> Export:
    """Begin an export of the organization and of all beneath it. `by` is the id of the credential."""
    Organization.objects.lock(organization.pk)
    export = _begin(Export(organization=organization, requested_by=by, total=len(sections.OF_ORGANIZATION)), now)
    _tell(export, "requested", now)
    return export


@transaction.atomic
def of_person(user: User, *, now: datetime) -> Export:
    """Begin an export of what is known of a person."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)
    export = _begin(Export(user=user, requested_by=f"user:{user.pk}", total=len(sections.OF_PERSON)), now)
    _tell(export, "requested", now)
    return export


def _begin(export: Export, now: datetime) -> Export:
    same = Export.objects.filter(organization=export.organization, user=export.user)
    if same.unfinished().exists():
        raise ExportUnderWay
    if same.filter(created_at__gt=now - timedelta(days=1)).count() >= MOST_A_DAY:
        raise TooManyExports(headers={"Retry-After": "86400"})
    export.created_at, export.section = now, next(iter(_sections(export)))
    export.save(force_insert=True)
    broker.nudge(TASK)
    return export


def run(now: datetime) -> int:
    """Work on the exports until all are made; returns how many steps were done."""
    steps, deadline = 0, time.monotonic() + SECONDS
    while _step(now):
        steps += 1
        if time.monotonic() > deadline:
            broker.nudge(TASK)
            break
    return steps


@transaction.atomic
def _step(now: datetime) -> bool:
    """Write the next files of the smallest export that nobody else works on, so that a large export doesn't delay small
    ones.
    """
    unfinished = Export.objects.unfinished().select_for_update(skip_locked=True, no_key=True, of=("self",))
    export = unfinished.select_related("organization", "user").order_by("size", "pk").first()
    if export is None:
        return False
    section = _sections(export)[export.section]
    batch = list(rows.past(section.rows(_subject(export)), section.order, export.after)[: section.batch])
    _write(export, section, batch)
    export.counts[section.name] = export.counts.get(section.name, 0) + len(batch)
    if len(batch) == section.batch:
        export.after = rows.key_of(batch[-1], section.order)
    else:
        _go_on(export, now)
    export.save()
    return True


def _go_on(export: Export, now: datetime) -> None:
    """To the next section; after the last one the export is ready."""
    names = list(_sections(export))
    export.done, export.after = export.done + 1, None
    if export.done < len(names):
        export.section = names[export.done]
        return
    manifest = {"export": export.public_id, "made_at": rows.value(export.created_at), "rows": export.counts}
    _add(export, "manifest.json", exact_json.dumps(manifest).encode())
    export.section, export.finished_at, export.expires_at = "", now, now + KEPT
    _tell(export, "finished", now)


def _write(export: Export, section: Section[Any], batch: list[Any]) -> None:
    made = rows.plain(batch, section)
    if made:
        part = f"{section.name}/{export.files.filter(name__startswith=f'{section.name}/').count() // 2 + 1:04}"
        _add(export, f"{part}.jsonl", "".join(f"{exact_json.dumps(row)}\n" for row in made).encode())
        cells = ([rows.cell(shown) for shown in row.values()] for row in made)
        _add(export, f"{part}.csv", spreadsheets.csv_of(list(made[0]), cells))
    for row in batch if section.file else ():
        assert section.file is not None
        name, content = section.file(row)
        _add(export, f"files/{name}", content)


def _add(export: Export, name: str, content: bytes) -> None:
    compressed, crc = archive.compress(content)
    number = export.files.count() + 1
    ExportFile.objects.create(export=export, number=number, name=name, content=compressed, size=len(content), crc=crc)
    export.size += len(compressed)


def download(export: Export, now: datetime) -> tuple[int, Iterator[bytes]]:
    """The archive and its length. `ExportNotReady` before it is there, and after seven days. It is an event."""
    if not Export.objects.kept(now).filter(pk=export.pk).exists():
        raise ExportNotReady
    files = export.files.order_by("number")
    stored = files.values_list("name", "size", Length("content"), "crc")
    entries = [archive.Entry(*each) for each in stored]
    _tell(export, "downloaded", now)

    def content(place: int) -> bytes:
        return bytes(files.values_list("content", flat=True).get(number=place + 1))

    length = archive.size_of(entries, export.created_at)
    return length, archive.stream(entries, export.created_at, content)


def purge(now: datetime) -> int:
    """Delete the exports that are older than seven days, and their files."""
    return Export.objects.filter(expires_at__lte=now).delete()[0]


def _sections(export: Export) -> Mapping[str, Section[Any]]:
    return sections.OF_ORGANIZATION if export.organization_id else sections.OF_PERSON


def _subject(export: Export) -> Organization | User | None:
    return export.organization or export.user


def _tell(export: Export, verb: str, now: datetime) -> None:
    """Record the event in the organization; for a person, in every organization in which they have a role."""
    data, type = {"export": export.public_id}, f"export.{verb}"
    if export.organization_id:
        events.record(export.organization_id, type, data, now, targets=[export.public_id])
    elif export.user:
        people.tell(export.user, type, data)
