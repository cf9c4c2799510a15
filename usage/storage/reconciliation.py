"""The proof that the books agree. Each check selects what is wrong; if it selects nothing, that is the proof.

All checks run in one snapshot, so that what is being posted meanwhile doesn't show as a difference.
"""

from dataclasses import dataclass

from django.db import connection

from accounts.lib import snapshot, sql
from billing.models import LedgerAccount
from usage.storage import (
    closing_checks,
    ledger_checks,
    paper_checks,
    payer_months,
    payment_checks,
    places,
    subscription_checks,
    usage_checks,
)

CHECKS = {
    **ledger_checks.CHECKS,
    **payment_checks.CHECKS,
    **paper_checks.CHECKS,
    **subscription_checks.CHECKS,
    **usage_checks.CHECKS,
    **closing_checks.CHECKS,
}

NAMED = """
SELECT coalesce(o.public_id, wrong.organization_id::text), wrong.detail
  FROM ({check}) wrong(organization_id, detail) LEFT JOIN accounts_organization o ON o.id = wrong.organization_id
"""


@dataclass(frozen=True)
class Finding:
    """What is wrong: the check, the organization's public id, and both sides in a sentence."""

    check: str
    organization: str
    detail: str


def run() -> list[Finding]:
    """Run every check over all accounts."""
    findings = []
    with snapshot.consistent(), connection.cursor() as cursor:
        # Taken before the snapshot begins, so that no leaf is detached after it.
        cursor.execute("LOCK TABLE usage_event IN ACCESS SHARE MODE")
        payers = list(LedgerAccount.objects.values_list("pk", flat=True))
        parameters = payer_months.parameters(payers) | places.parameters(payers)
        for name, check in CHECKS.items():
            wrong = sql.rows(sql.compose(NAMED, check=check), parameters)
            findings += [Finding(name, organization, detail) for organization, detail in wrong]
    return findings
