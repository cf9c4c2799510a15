from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Organization
from usage.storage import rebuild


class Command(BaseCommand):
    help = "Recompute rollups, volumes and spending from the events. It may be killed at any moment, and run again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--organization",
            action="append",
            metavar="acct_…",
            help="only the payer of this organization; may be repeated",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rebuilt = rebuild.rebuild(self._ids(options["organization"]))
        self.stdout.write(f"{rebuilt:,} accounts rebuilt.")

    def _ids(self, names: list[str] | None) -> list[Any] | None:
        if names is None:
            return None
        ids = dict(Organization.objects.filter(public_id__in=names).values_list("public_id", "pk"))
        if unknown := set(names) - set(ids):
            raise CommandError(f"There is no organization {', '.join(sorted(unknown))}.")
        return list(ids.values())
