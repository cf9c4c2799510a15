from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.lib import distribution
from usage.storage import distributing


class Command(BaseCommand):
    help = (
        "Distribute the tables over the machines of a Citus cluster, by payer. Stop web and workers first."
        " It may be killed and run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="say what would be done next, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        try:
            distributing.require_cluster()
        except distributing.NotReady as error:
            raise CommandError(str(error)) from error
        for step in distributing.steps():
            self.stdout.write(f"{step.description}.")
            if not dry_run:
                distributing.run(step)
        if not dry_run:
            distribution.forget()
            self.stdout.write("The tables are distributed. Start web and workers again.")
