import sys
from typing import Any

from django.core.management.base import BaseCommand

from billing.payments.gateways import startup


class Command(BaseCommand):
    help = "Ask the payment gateway whether our key may do what we need. Exits 1 if not, and names what it lacks."

    def handle(self, *args: Any, **options: Any) -> None:
        problems = startup.problems()
        for problem in problems:
            self.stderr.write(problem)
        if problems:
            sys.exit(1)
        self.stdout.write("The payment gateway is ready.")
