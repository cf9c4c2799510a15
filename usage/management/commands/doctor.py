import sys
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from usage.storage import diagnosis
from usage.storage.diagnosis import Level


class Command(BaseCommand):
    help = "Say what is wrong with this installation. Exits 1 if something fails, 2 if there are only warnings."

    def handle(self, *args: Any, **options: Any) -> None:
        levels = set()
        for finding in diagnosis.examine(timezone.now()):
            levels.add(finding.level)
            self.stdout.write(f"{finding.level:4}  {finding.subject}{f': {finding.text}' if finding.text else ''}")
        if Level.FAIL in levels:
            sys.exit(1)
        if Level.WARN in levels:
            sys.exit(2)
