import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils import timezone

from usage import demo
from usage.storage import reconciliation


class Command(BaseCommand):
    help = "Make demo data, unless there are people already, and write the sign-ins to the state folder."

    def handle(self, *args: Any, **options: Any) -> None:
        data = demo.make(timezone.now())
        if data is None:
            return
        reconciliation.prove()  # So that the operators' home shows when the books were last proved.
        path = settings.STATE_DIR / "demo.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps(data.as_json(), indent=2))
