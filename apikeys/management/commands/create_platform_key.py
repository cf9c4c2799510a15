from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts import scopes
from apikeys import keys
from apikeys.models import ApiKey


class Command(BaseCommand):
    help = "Make a platform key, for the company's own gateway or backend, and print its secret."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, help="what the key is called in lists")
        parser.add_argument(
            "--scopes",
            nargs="+",
            choices=sorted(scopes.PLATFORM),
            default=scopes.GATEWAY,
            metavar="SCOPE",
            help="what it may do; by default what a gateway needs",
        )

    def handle(self, *args: Any, name: str, scopes: Iterable[str], **options: Any) -> None:
        try:
            ApiKey._meta.get_field("name").clean(name, None)
        except ValidationError as error:
            raise CommandError(f"--name: {' '.join(error.messages)}") from error
        _, secret = keys.create_platform(name, set(scopes))
        self.stdout.write(secret)
