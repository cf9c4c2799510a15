"""Prints a statement: `python -m usage.reporting.printer < job.json > statement.pdf`.

It is a program of its own, because typst takes 84 MB that a web worker would keep, and so it imports nothing of ours.
"""

import json
import sys
from pathlib import Path
from typing import Any

import typst

TEMPLATE = Path(__file__).with_name("statement.typ")


def main() -> None:
    job = json.loads(sys.stdin.read())
    compiler = typst.Compiler(root=TEMPLATE.parent, font_paths=job["fonts"], ignore_system_fonts=True)
    printed: Any = compiler.compile(TEMPLATE.read_bytes(), sys_inputs={"paper": json.dumps(job["paper"])})
    sys.stdout.buffer.write(printed)


if __name__ == "__main__":
    main()
