"""The lines of a file with customers: JSON Lines, or CSV with the names of the members in its first line."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from accounts.lib import exact_json

CSV = ".csv"


class Unreadable(Exception):
    """The file as a whole can't be read. The message is a sentence."""


@dataclass(frozen=True)
class ImportLine:
    """A row, with the number of its first line from 1. `problem` says why it can't be read as one."""

    number: int
    members: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


def read(path: Path) -> Iterator[ImportLine]:
    """The rows of a file, of which one ending in `.csv` is read as CSV. `Unreadable` if there is no such file."""
    try:
        # Bytes that are not UTF-8 become lone surrogates, which the checks of the row report.
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            yield from _rows_of_csv(file) if path.suffix.lower() == CSV else _rows_of_json(file)
    except OSError as error:
        raise Unreadable(f"{path} can't be read: {error.strerror}.") from error


def _rows_of_json(file: IO[str]) -> Iterator[ImportLine]:
    for number, text in enumerate(file, start=1):
        if text.strip():
            yield _row_of_json(number, text)


def _row_of_json(number: int, text: str) -> ImportLine:
    if not text.isascii() and _is_not_utf_8(text):
        return ImportLine(number, problem="The line is not in UTF-8.")
    try:
        members = exact_json.loads(text)
    except exact_json.InvalidJson as error:
        return ImportLine(number, problem=f"The line is {error}.")
    if not isinstance(members, dict):
        return ImportLine(number, problem="The line is not a JSON object.")
    return ImportLine(number, members)


def _rows_of_csv(file: IO[str]) -> Iterator[ImportLine]:
    """Empty cells are left out. A cell may go over several lines."""
    reader = csv.reader(file, strict=True)
    number = 1
    try:
        names = next(reader, [])
        _check(names)
        number = reader.line_num + 1
        for cells in reader:
            if cells:
                yield _row_of_csv(number, names, cells)
            number = reader.line_num + 1
    except csv.Error as error:
        yield ImportLine(number, problem=f"From here on the file is not CSV: {error}.")


def _check(names: list[str]) -> None:
    if len(set(names)) < len(names):
        raise Unreadable("The first line names a column twice.")
    if names and "type" not in names:
        raise Unreadable("The first line names no column type. It has names with commas between them, in UTF-8.")


def _row_of_csv(number: int, names: list[str], cells: list[str]) -> ImportLine:
    if len(cells) != len(names):
        return ImportLine(number, problem=f"The line has {len(cells)} cells, and the first line {len(names)}.")
    if any(map(_is_not_utf_8, cells)):
        return ImportLine(number, problem="The line is not in UTF-8.")
    return ImportLine(number, {name: cell for name, cell in zip(names, cells, strict=True) if cell})


def _is_not_utf_8(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)
