"""Importing the lines of a file one by one, or rehearsing that."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts.lib import exact_json
from accounts.lib.problems import Problem
from usage.customer_import import effects, rows
from usage.customer_import.lines import ImportLine
from usage.customer_import.rows import Errors
from usage.models import ImportedRow

DIFFERS = "A row with this id was imported before, and said something else. Change it in Tollgate."


class LineResult(StrEnum):
    NEW = "new"
    KNOWN = "known"  # it was imported before, and changes nothing
    WRONG = "wrong"


@dataclass(frozen=True)
class Outcome:
    """The result for a line. `target` is the id of the object that it made, now or earlier."""

    line: ImportLine
    result: LineResult
    target: str = ""
    errors: Errors | None = None


def run(lines: Iterable[ImportLine]) -> Iterator[Outcome]:
    """Import the lines in their order, each in a transaction of its own. A wrong line changes nothing."""
    for line in lines:
        yield _import(line)


def rehearse(lines: Iterable[ImportLine]) -> Iterator[Outcome]:
    """The outcomes that `run` would have. It does the same in one transaction, which is then rolled back.

    They are yielded after that, so that no payer is locked while somebody reads them.
    """
    with transaction.atomic():
        outcomes = [_short(outcome) for outcome in run(lines)]
        transaction.set_rollback(True)
    yield from outcomes


def _short(outcome: Outcome) -> Outcome:
    """With those members of its line that are shown."""
    members = {name: outcome.line.members[name] for name in ("type", "id") if name in outcome.line.members}
    return replace(outcome, line=replace(outcome.line, members=members))


def _import(line: ImportLine) -> Outcome:
    if line.problem:
        return _wrong(line, [("", line.problem)])
    row, errors = rows.check(line.members)
    if errors:
        return _wrong(line, errors)
    digest = hashlib.sha256(exact_json.dumps(sorted(line.members.items())).encode()).digest()
    try:
        return _known(line, row["type"], row["id"], digest) or _make(line, row, digest)
    except Problem as problem:
        named = [(error["pointer"].strip("/"), error["detail"]) for error in problem.errors]
        return _wrong(line, named or [(effects.ABOUT[row["type"]], str(problem))])


def _make(line: ImportLine, row: effects.Values, digest: bytes) -> Outcome:
    """There's a race here: if two imports of the same file run, the second one waits for the first, and is undone.

    Or it is refused, because of what the first one made. Either way the line is known by then.
    """
    try:
        with transaction.atomic():
            organization, target = effects.EFFECTS[row["type"]](row)
            ImportedRow.objects.create(
                organization=organization,
                type=row["type"],
                external_id=row["id"],
                digest=digest,
                target=target,
                imported_at=timezone.now(),
            )
        return Outcome(line, LineResult.NEW, target)
    except (IntegrityError, Problem):
        if known := _known(line, row["type"], row["id"], digest):
            return known
        raise


def _known(line: ImportLine, type: str, external_id: str, digest: bytes) -> Outcome | None:
    known = ImportedRow.objects.filter(type=type, external_id=external_id).first()
    if known is None:
        return None
    if bytes(known.digest) != digest:
        return _wrong(line, [("id", DIFFERS)])
    return Outcome(line, LineResult.KNOWN, known.target)


def _wrong(line: ImportLine, errors: Errors) -> Outcome:
    return Outcome(line, LineResult.WRONG, errors=errors)
