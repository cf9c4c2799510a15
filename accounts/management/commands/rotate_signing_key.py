from typing import Any

from django.core.management.base import BaseCommand

from accounts import signing


class Command(BaseCommand):
    help = "Sign access tokens with a new key from now on; the old one verifies while its tokens live."

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(f"New tokens are signed with {signing.rotate().kid}.")
