"""The proof that the books agree. Each check selects what is wrong; if it selects nothing, that is the proof. Only the
seals of the ledger are computed here, row by row.

All checks run in one snapshot, so that what is being posted meanwhile doesn't show as a difference.
"""

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

import structlog
from django.db import connection
from django.utils import timezone

from accounts.lib import distribution, snapshot, sql
from accounts.models import Organization
from billing.ledger import seals
from billing.models import LedgerAccount
from usage.models import LedgerProof
from usage.storage import (
    closing_checks,
    import_checks,
    ledger_checks,
    paper_checks,
    payer_months,
    payment_checks,
    places,
    rebuild,
    shadows,
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
    **import_checks.CHECKS,
}

SEALED = "each entry of the ledger is as it was sealed"
NAMES = (*CHECKS, SEALED)
KEPT = 100  # findings of a proof
RECENT = timedelta(hours=23, minutes=30)  # looked at once an hour, this is a proof a day at the same hour

NAMED = """
SELECT coalesce(o.public_id, wrong.organization_id::text), wrong.detail
  FROM ({check}) wrong(organization_id, detail) LEFT JOIN accounts_organization o ON o.id = wrong.organization_id
"""
OF_PAYERS = NAMED + " WHERE o.root_id IS NULL OR o.root_id = ANY(%(accounts)s::uuid[])"


log = structlog.get_logger()


@dataclass(frozen=True)
class Difference:
    """What is wrong: the check, the organization's public id, and both sides in a sentence."""

    check: str
    organization: str
    detail: str


def prove() -> list[Difference]:
    """Run every check, and store the time and the result."""
    started_at, findings = timezone.now(), run()
    LedgerProof.objects.create(
        started_at=started_at,
        finished_at=timezone.now(),
        accounts=LedgerAccount.objects.count(),
        differences=len(findings),
        findings=[asdict(finding) for finding in findings[:KEPT]],
    )
    return findings


def prove_if_due(now: datetime) -> bool:
    """Prove the books if that wasn't done for a day. Returns whether it was due."""
    if LedgerProof.objects.filter(finished_at__gt=now - RECENT).exists():
        return False
    if findings := prove():
        log.error("the books don't agree", differences=len(findings), first=asdict(findings[0]))
    return True


def run() -> list[Difference]:
    """Run every check over all accounts."""
    if distribution.is_distributed():
        return [finding for payers in rebuild.batches(_roots()) for finding in _run_over(payers)]
    with snapshot.consistent(), connection.cursor() as cursor:
        # Taken before the snapshot begins, so that no leaf is detached after it.
        cursor.execute("LOCK TABLE usage_event IN ACCESS SHARE MODE")
        return _run(list(LedgerAccount.objects.values_list("pk", flat=True)), NAMED)


def _run_over(payers: list[UUID]) -> list[Difference]:
    """Over a few payers, which are locked instead of in a snapshot: that of Citus isn't the same on all machines."""
    with shadows.of(payers):
        return _run(payers, OF_PAYERS)


def _roots() -> list[UUID]:
    return list(Organization.objects.filter(parent=None).order_by("pk").values_list("pk", flat=True))


def _run(payers: list[UUID], named: LiteralString) -> list[Difference]:
    findings = []
    parameters = {"accounts": payers, **payer_months.parameters(payers), **places.parameters(payers)}
    for name, check in CHECKS.items():
        wrong = sql.rows(sql.compose(named, check=check), parameters)
        findings += [Difference(name, organization, detail) for organization, detail in wrong]
    return findings + [Difference(SEALED, _public_id(payer), detail) for payer, detail in seals.check()]


def _public_id(payer: UUID) -> str:
    return Organization.objects.values_list("public_id", flat=True).get(pk=payer)
