from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import copies


class Command(BaseCommand):
    help = "Say that this database, a copy until now, is the real one: cards are charged, and mail and webhooks sent."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--yes", action="store_true", help="don't ask")
        parser.add_argument("--undo", action="store_true", help="say that it is a copy")

    def handle(self, *args: Any, yes: bool, undo: bool, **options: Any) -> None:
        if undo:
            copies.mark()
            self.stdout.write("It is a copy.")
            return
        if not copies.is_copy():
            self.stdout.write("It is the real one already.")
            return
        question = "Two real ones would charge every card twice. Is the other one stopped for good? Type yes: "
        if not yes and input(question) != "yes":
            raise CommandError("Nothing was changed.")
        copies.adopt()
        self.stdout.write("It is the real one.")
