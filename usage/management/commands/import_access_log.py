import sys
from pathlib import Path
from typing import IO, Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.metering import importing, log_files
from usage.metering.importing import Log, Summary, Survey


class Command(BaseCommand):
    help = "Import an access log (common or combined format, plain or gzipped), one usage event a line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path, help="a file, a named pipe, or - for standard input")
        parser.add_argument("--organization", required=True, metavar="acct_…")
        parser.add_argument("--meter", required=True)
        parser.add_argument("--key-id", metavar="key_…", help="the API key that made the requests")

    def handle(self, *args: Any, file: Path, organization: str, meter: str, key_id: str | None, **options: Any) -> None:
        owner = _first(Organization.objects.filter(public_id=organization), f"organization {organization}")
        meter_row = _first(Meter.objects.filter(slug=meter), f"meter {meter}")
        keys = ApiKey.objects.of(owner).filter(public_id=key_id)
        key = _first(keys, f"key {key_id} of {organization}") if key_id else None
        try:
            with log_files.opened(file) as opened:
                summary = self._import(opened, Log(file.name, owner, meter_row, key))
        except log_files.UNREADABLE as error:
            raise CommandError(f"{file} can't be read: {error}") from error
        self._report(summary)
        if summary.lines and not summary.readable:
            sys.exit(1)

    def _import(self, file: IO[bytes], log: Log) -> Summary:
        surveyed = importing.survey(file, log)
        self._report_earlier(surveyed)
        with tqdm(total=surveyed.lines, unit=" lines", file=self.stderr) as bar:
            return importing.run(file, surveyed, on_progress=bar.update, on_problem=self._report_problem)

    def _report_earlier(self, surveyed: Survey) -> None:
        if surveyed.earlier and surveyed.lines_before < surveyed.lines:
            self.stdout.write(
                f"The first {surveyed.lines_before:,} lines were imported before, from {surveyed.earlier.name}."
            )

    def _report_problem(self, line: int, reason: str) -> None:
        tqdm.write(f"line {line}: skipped: {reason}", file=self.stderr)

    def _report(self, summary: Summary) -> None:
        self.stdout.write(
            f"{summary.lines:,} lines: {summary.accepted:,} counted now, "
            f"{summary.already_counted + summary.duplicate:,} counted before, {len(summary.problems):,} skipped."
        )


def _first(rows: Any, noun: str) -> Any:
    row = rows.first()
    if row is None:
        raise CommandError(f"There is no {noun}.")
    return row
