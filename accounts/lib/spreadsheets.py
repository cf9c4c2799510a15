"""Writes CSV so that a spreadsheet doesn't run any of it as a formula."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from accounts.lib.money import plain

FORMULA = frozenset("=+-@")  # spreadsheets treat a cell that begins with one of these as a formula
PART = 1 << 16  # characters

Cell = str | int | Decimal | None


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table in UTF-8, with its header. Numbers are written exactly; None is an empty cell."""
    return b"".join(stream(columns, rows))


def stream(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """As `csv_of`, in parts: the rows are read as they are needed."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_written(cell) for cell in row])
        if text.tell() >= PART:
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    part = text.getvalue().encode("utf-8", "backslashreplace")
    text.seek(0)
    text.truncate()
    return part


def _written(cell: Cell) -> str:
    match cell:
        case None:
            return ""
        case str():
            return inert(cell)
        case Decimal():
            return plain(cell)
        case _:
            return str(cell)


def inert(text: str) -> str:
    """Text that a spreadsheet would calculate gets an apostrophe in front, as OWASP advises.

    Some spreadsheets skip invisible characters in front, and take the full-width signs of East Asian keyboards too.
    """
    visible = next((char for char in text if unicodedata.category(char)[0] not in "ZC"), "")
    is_formula = unicodedata.normalize("NFKC", visible)[:1] in FORMULA
    return f"'{text}" if is_formula or text[:1] in ("\t", "\r", "\n") else text
