from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from apikeys import keys


class Command(BaseCommand):
    help = "Make a platform key, for the company's own gateway, and print its secret."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what the key is called in lists")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        _, secret = keys.create_platform(name)
        self.stdout.write(secret)
