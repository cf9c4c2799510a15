from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from usage.storage import privileges


class Command(BaseCommand):
    help = "Give a database role what the application needs, and no more. Run it as the tables' owner, after migrate."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="the role in DATABASE_URL")

    def handle(self, *args: Any, role: str, **options: Any) -> None:
        for statement in privileges.grant(role):
            self.stdout.write(f"{statement};")
