import sys
from typing import Any

from django.core.management.base import BaseCommand

from billing.models import LedgerAccount
from usage.storage import privileges, reconciliation


class Command(BaseCommand):
    help = "Prove that balances, entries, holds, usage and rollups agree. Exits 1 if they don't, and says where."

    def handle(self, *args: Any, **options: Any) -> None:
        findings = reconciliation.prove()
        for check in reconciliation.NAMES:
            broken = [finding for finding in findings if finding.check == check]
            self.stdout.write(f"{'FAIL' if broken else 'ok':4}  {check}")
            for finding in broken:
                self.stdout.write(f"      {finding.organization}: {finding.detail}")
        for warning in privileges.warnings():
            self.stdout.write(f"warn  {warning} See docs/operations.md, Database roles.")
        self.stdout.write(f"{LedgerAccount.objects.count():,} accounts, {len(findings):,} differences.")
        if findings:
            sys.exit(1)
