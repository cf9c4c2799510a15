import sys
from argparse import ArgumentParser
from collections import Counter
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from usage.customer_import import lines, running
from usage.customer_import.lines import Unreadable
from usage.customer_import.running import LineResult, Outcome


class Command(BaseCommand):
    help = "Import customers of another system from JSON Lines or CSV. The same file changes nothing the second time."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV if it ends in .csv, otherwise JSON Lines")
        parser.add_argument("--dry-run", action="store_true", help="say what would become of each line, write nothing")

    def handle(self, *args: Any, file: Path, dry_run: bool, **options: Any) -> None:
        counts: Counter[LineResult] = Counter()
        outcomes = running.rehearse(lines.read(file)) if dry_run else running.run(lines.read(file))
        try:
            for outcome in outcomes:
                counts[outcome.result] += 1
                self._report(outcome, everything=dry_run)
        except Unreadable as error:
            raise CommandError(str(error)) from error
        verb = "would be imported" if dry_run else "imported"
        new, known, wrong = (counts[result] for result in (LineResult.NEW, LineResult.KNOWN, LineResult.WRONG))
        self.stdout.write(f"{new:,} {verb}, {known:,} imported before, {wrong:,} wrong.")
        if wrong:
            sys.exit(1)

    def _report(self, outcome: Outcome, *, everything: bool) -> None:
        line = outcome.line
        for name, detail in outcome.errors or ():
            self.stdout.write(f"line {line.number}: wrong: {f'{name}: ' if name else ''}{detail}")
        if everything and outcome.result is not LineResult.WRONG:
            self.stdout.write(f"line {line.number}: {outcome.result}: {line.members['type']} {line.members['id']}")
