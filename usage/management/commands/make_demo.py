import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from usage import demo


class Command(BaseCommand):
    help = "Make demo data on an installation without people, and keep its sign-ins in the state folder."

    def handle(self, *args: Any, **options: Any) -> None:
        made = demo.make(timezone.now())
        if made is None:
            return
        path = settings.STATE_DIR / "demo.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(made.as_json(), indent=2))
