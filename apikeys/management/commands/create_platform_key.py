from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from apikeys import keys
from apikeys.models import ApiKey


class Command(BaseCommand):
    help = "Make a platform key, for the company's own gateway, and print its secret."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what the key is called in lists")

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        try:
            ApiKey._meta.get_field("name").clean(name, None)
        except ValidationError as error:
            raise CommandError(f"--name: {' '.join(error.messages)}") from error
        _, secret = keys.create_platform(name)
        self.stdout.write(secret)
