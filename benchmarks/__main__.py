"""`make bench`: compares Tollgate with the best that the same server can do at the same moment.

It starts its own servers and stops them at the end. Rows that miss their limit are marked in the output.
"""

import argparse
import importlib
import sys
import time
from collections.abc import Iterator

from benchmarks import cast, machine, report, stage
from benchmarks.measure import Options, Row

ROWS = {
    "posting": "posting:measure_pgbench",
    "hot": "posting:measure_coalesced",
    "ingest": "ingest:measure",
    "verify": "gate:measure_select",
    "hold": "gate:measure_insert",
    "door": "door:measure",
    "ordinary": "posting:measure_ordinary",
    "hordak": "posting:measure_hordak",
    "recharge": "recharge:measure_posting",
    "recharge-ingest": "recharge:measure_ingest",
    "reading": "reading:measure",
    "pages": "pages:measure",
    "rebuild": "rebuilding:measure",
    "close": "closing:measure",
    "webhooks": "webhooks:measure",
    "documents": "documents:measure",
    "memory": "memory:measure",
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure against the limits.")
    parser.add_argument("--only", default="", help=f"some of {', '.join(ROWS)}, with commas; RESULTS.md is left alone")
    parser.add_argument(
        "--events", type=int, default=Options.events, help="of the reading, rebuild, close and memory rows"
    )
    parser.add_argument("--seconds", type=float, default=Options.seconds, help="of one side in one round")
    parser.add_argument("--rounds", type=int, default=Options.rounds)
    parser.add_argument("--clients", type=int, default=Options.clients, help="of the postings")
    parser.add_argument("--strict", action="store_true", help="exit with 1 when a row is under its limit")
    args = parser.parse_args()
    chosen = args.only.split(",") if args.only else list(ROWS)
    if unknown := set(chosen) - set(ROWS):
        parser.error(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    options = Options(args.events, args.seconds, args.rounds, args.clients)
    with stage.open_stage():
        rows = run(chosen, options, write=not args.only)
    return int(args.strict and not all(row.ok for row in rows))


def run(chosen: list[str], options: Options, *, write: bool) -> list[Row]:
    began, machine_line = time.monotonic(), machine.line()
    stage.say(machine_line)
    everyone, rows = cast.load(), []
    import django

    django.setup()
    for name in chosen:
        for row in _rows(name, everyone, options):
            rows.append(row)
            stage.say(report.text(row))
    stage.say(f"\n{machine_line}\n\n{report.table(rows)}")
    if write:
        report.write(machine_line, "make bench", rows, time.monotonic() - began)
    return rows


def _rows(name: str, everyone: cast.Cast, options: Options) -> Iterator[Row]:
    """The rows of one subject. If the subject fails, we return a row that says so, and the others still run."""
    module, _, function = ROWS[name].partition(":")
    try:
        result = getattr(importlib.import_module(f"benchmarks.rows.{module}"), function)(everyone, options)
        yield from [result] if isinstance(result, Row) else result
    except Exception as error:
        yield Row(name, "", 0, note=f"{type(error).__name__}: {error}"[:300].replace("\n", " "))


if __name__ == "__main__":
    sys.exit(main())
