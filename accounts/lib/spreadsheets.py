"""Writes CSV so that a spreadsheet doesn't run any of it as a formula."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Sequence
from decimal import Decimal

from accounts.lib.money import plain

FORMULA = frozenset("=+-@")  # spreadsheets treat a cell that begins with one of these as a formula

Cell = str | int | Decimal | None


def csv_of(columns: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """A table in UTF-8, with its header. Numbers are written exactly; None is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows([_written(cell) for cell in row] for row in rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


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
