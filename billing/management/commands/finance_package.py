from argparse import ArgumentParser
from pathlib import Path
from typing import Any

import structlog
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from accounts.lib import months
from accounts.lib.problems import Problem
from billing.finance import package

log = structlog.get_logger()


class Command(BaseCommand):
    help = "Write the month's entries, balances, invoices, taxes and journal for bookkeeping, as a signed ZIP."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("month", nargs="?", help="such as 2026-10; by default the month before this one")
        parser.add_argument("file", nargs="?", type=Path, help="by default finance-2026-10.zip in this folder")
        parser.add_argument("--again", action="store_true", help="make it again, after FINANCE_ACCOUNTS was changed")

    def handle(self, *args: Any, month: str | None, file: Path | None, again: bool, **options: Any) -> None:
        now = timezone.now()
        try:
            last = months.shift(months.month_of(now, settings.SELLER["timezone"]), -1)
            chosen = months.parse(month) if month else last
            made = package.make(chosen, now) if again else package.ensure(chosen, now)
        except ValueError as error:
            raise CommandError("The month is written as in 2026-10.") from error
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        path = file or Path(f"finance-{made}.zip")
        with path.open("wb") as target:
            target.writelines(package.download(made, now))
        log.info("finance package written", month=str(made), bytes=made.size)
        self.stdout.write(f"{path}: {made.size:,} bytes.")
