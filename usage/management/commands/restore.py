from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import copies
from usage.storage import backups, privileges


class Command(BaseCommand):
    help = (
        "Restore a backup into the empty database of DATABASE_URL, as the owner, and prove its books. It is a copy, "
        "which charges no cards and sends nothing until manage.py adopt. Exits 1 if the books don't agree."
    )
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)
        parser.add_argument("--grant-to", metavar="ROLE", help="the application's role")

    def handle(self, *args: Any, file: Path, grant_to: str, **options: Any) -> None:
        try:
            backups.restore(file)
        except backups.BackupError as error:
            raise CommandError(str(error)) from error
        if grant_to:
            privileges.grant(grant_to)
        self.stdout.write(f"Restored. {copies.HINT}")
        call_command("check_ledger", stdout=self.stdout)
