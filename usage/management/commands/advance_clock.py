from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.lib import datetimes
from accounts.lib.problems import Problem
from accounts.models import Organization
from usage.storage import advancing


class Command(BaseCommand):
    help = "Move a test organization's clock ahead, and run what falls due on the way. Only with the sandbox gateway."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="acct_…", help="the organization whose payer's clock is moved")
        parser.add_argument("now", metavar="2027-01-31T12:00:00Z", help="the moment to which it is moved")

    def handle(self, *args: Any, **options: Any) -> None:
        organization = Organization.objects.select_related("root").filter(public_id=options["organization"]).first()
        if organization is None:
            raise CommandError(f"There is no organization {options['organization']}.")
        try:
            now = advancing.advance(organization.root, datetimes.parse(options["now"], "UTC"))
        except ValueError as error:
            raise CommandError(datetimes.EXPECTED) from error
        except Problem as problem:
            raise CommandError(problem.sentence) from problem
        self.stdout.write(f"It is {now:%Y-%m-%d %H:%M:%S} UTC for {organization.root.public_id}.")
