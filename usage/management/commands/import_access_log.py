import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import Meter
from usage.metering import importing


class Command(BaseCommand):
    help = "Import an access log (common or combined format, plain or .gz), one usage event a line."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--organization", required=True, metavar="acct_…")
        parser.add_argument("--meter", required=True)
        parser.add_argument("--key-id", metavar="key_…", help="the API key that made the requests")

    def handle(self, *args: Any, file: Path, organization: str, meter: str, key_id: str | None, **options: Any) -> None:
        owner = _named(Organization.objects.filter(public_id=organization), f"organization {organization}")
        counted = _named(Meter.objects.filter(slug=meter), f"meter {meter}")
        mine = ApiKey.objects.of(owner).filter(public_id=key_id)
        key = _named(mine, f"key {key_id} of {organization}") if key_id else None
        try:
            digest, lines = importing.survey(file)
        except importing.UNREADABLE as error:
            raise CommandError(f"{file} can't be read: {error}") from error
        with tqdm(total=lines, unit=" lines", file=self.stderr) as bar:
            summary = importing.run(
                file,
                digest=digest,
                organization=owner,
                meter=counted,
                key=key,
                on_progress=bar.update,
                on_problem=self._problem,
            )
        self._report(summary)
        if not summary.readable:
            sys.exit(1)

    def _problem(self, line: int, reason: str) -> None:
        tqdm.write(f"line {line}: skipped: {reason}", file=self.stderr)

    def _report(self, summary: importing.Summary) -> None:
        self.stdout.write(
            f"{summary.lines:,} lines: {summary.accepted:,} counted now, "
            f"{summary.already_counted + summary.duplicate:,} counted before, {len(summary.problems):,} skipped."
        )


def _named(rows: Any, what: str) -> Any:
    row = rows.first()
    if row is None:
        raise CommandError(f"There is no {what}.")
    return row
