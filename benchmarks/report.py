"""Prints the table on the terminal and writes it to RESULTS.md."""

import time
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import Row

RESULTS = Path(__file__).resolve().parent / "RESULTS.md"
HEADS = ("what", "against", "figure", "limit", "ratio", "rounds", "wanted", "")
PREFACE = """# Results of `make bench`

Each figure was measured in turns with its limit, on the same server, in the same run. The ratio is the median of the
rounds', and `rounds` their lowest and highest. `docs/benchmarks.md` says what each row does.
"""


def cells(row: Row) -> tuple[str, ...]:
    wanted = f"≤ {row.bound:g} ×" if row.at_most else f"≥ {row.bound:g} ×"
    if row.ratio is None or row.figure is None or row.limit is None or row.spread is None:
        return row.what, row.against, "", "", "", "", wanted, row.verdict
    lowest, highest = row.spread
    figures = (f"{number(row.figure)} {row.unit}", f"{number(row.limit)} {row.unit}")
    ratios = (f"{row.ratio:.2f} ×", f"{lowest:.2f}–{highest:.2f}")
    return row.what, row.against, *figures, *ratios, wanted, row.verdict


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def text(row: Row) -> str:
    """Print one row as soon as it has been measured."""
    what, against, figure, limit, ratio, spread, wanted, verdict = cells(row)
    measured = f"{figure} against {limit}: {ratio} ({spread}), wanted {wanted}: {verdict}" if ratio else verdict
    return f"{what}\n  against {against}\n  {measured}" + (f" ({row.note})" if row.note else "")


def table(rows: Iterable[Row]) -> str:
    lines = [HEADS, ("---", "---", *["---:"] * 5, "---"), *(cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def write(machine: str, command: str, rows: list[Row], seconds: float) -> None:
    notes = [f"- {row.what}, against {row.against}: {row.note}." for row in rows if row.note]
    taken = f"{time.strftime('%Y-%m-%d', time.gmtime())}, `{command}`, {seconds / 60:.0f} minutes."
    parts = [PREFACE, machine, "", taken, "", table(rows)]
    RESULTS.write_text("\n".join([*parts, *(["", *notes] if notes else []), ""]))
