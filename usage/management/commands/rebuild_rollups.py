from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.models import Organization
from usage.storage import rebuild


class Command(BaseCommand):
    help = (
        "Compute rollups and volumes anew from the events, a payer at a time; killed and run again, it ends the same."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--organization", action="append", metavar="acct_…", help="only its payer's; may be repeated"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        rebuilt = rebuild.rebuild(self._chosen(options["organization"]))
        self.stdout.write(f"{rebuilt:,} accounts rebuilt.")

    def _chosen(self, names: list[str] | None) -> list[Any] | None:
        if names is None:
            return None
        found = dict(Organization.objects.filter(public_id__in=names).values_list("public_id", "pk"))
        if unknown := set(names) - set(found):
            raise CommandError(f"There is no organization {', '.join(sorted(unknown))}.")
        return list(found.values())
