from typing import Any

from django.core.management.base import BaseCommand, CommandError

from apikeys import peppers


class Command(BaseCommand):
    help = "Says how many API keys are still stored under each pepper, before an old one is dropped."

    def handle(self, *args: Any, **options: Any) -> None:
        lost = 0
        for use in peppers.usage():
            self.stdout.write(f"pepper {use.number}: {use.secrets} secrets, {_advice(use)}")
            lost += 0 if use.is_known else use.secrets
        if lost:
            raise CommandError(f"{lost} secrets are under a pepper that is not in API_KEY_PEPPERS: they don't work.")


def _advice(use: peppers.PepperUse) -> str:
    if use.is_newest:
        return "the newest"
    if not use.is_known:
        return "not in API_KEY_PEPPERS"
    return "keep it: they move to the newest when they are used" if use.secrets else "it can be dropped"
