"""Compares the clients' claims with the database: what was acknowledged is there exactly once, and nothing else is."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from uuid import UUID

from django.db import connection

from accounts.lib import snapshot
from billing.models import LedgerAccount
from tests.faults import invariants
from tests.faults.cast import Cast
from tests.faults.operations import EXTENSION, SLICE, Claim
from usage.storage import reconciliation

# What was done, by the clients' ids: kind, id, account, how often, and the credits. Holds of the gate have no client
# id, so we recognize them by their amounts, and once captured by the ids that were acknowledged.
EFFECTS = """
SELECT 'event', id, account_id, count(*), -sum(credits) FROM usage_event
 WHERE account_id = ANY(%(accounts)s) GROUP BY id, account_id
UNION ALL
SELECT 'purchase', coalesce(r.key, substr(e.idempotency_key, 9)), e.account_id, count(*), sum(e.amount)
  FROM billing_ledgerentry e LEFT JOIN accounts_idempotencyrecord r ON r.resource = substr(e.idempotency_key, 9)
 WHERE e.account_id = ANY(%(accounts)s) AND e.kind = 'purchase' GROUP BY 2, 3
UNION ALL
SELECT 'hold', reference, account_id, count(*), 0 FROM billing_hold
 WHERE account_id = ANY(%(accounts)s) AND reference ~ '^[0-9a-f]{20}$' GROUP BY 2, 3
UNION ALL
SELECT 'gate''s hold', amount::text, account_id, count(*), 0 FROM billing_hold
 WHERE account_id = ANY(%(accounts)s) AND reference = '' GROUP BY 2, 3
UNION ALL
SELECT 'gate''s capture', 'hold_' || replace(id::text, '-', ''), account_id, 1, 0 FROM billing_hold
 WHERE account_id = ANY(%(accounts)s) AND reference = '' AND status = 'captured'
UNION ALL
SELECT 'release', reference, account_id, count(*), 0 FROM billing_hold
 WHERE account_id = ANY(%(accounts)s) AND status = 'released' AND purpose = 'hold' GROUP BY 2, 3
UNION ALL
SELECT 'extension', reference, account_id, round((amount - %(slice)s) / %(extension)s)::int, 0 FROM billing_hold
 WHERE account_id = ANY(%(accounts)s) AND purpose = 'lease' AND amount <> %(slice)s
UNION ALL
SELECT 'return', reference, account_id, 1, 0 FROM billing_hold
 WHERE account_id = ANY(%(accounts)s) AND purpose = 'lease' AND status = 'released'
UNION ALL
SELECT 'grant', description, account_id, count(*), sum(amount) FROM billing_ledgerentry
 WHERE account_id = ANY(%(accounts)s) AND kind = 'grant' AND description <> '' GROUP BY 2, 3
UNION ALL
SELECT 'void', v.event_id, v.account_id, count(*), sum(e.amount)
  FROM usage_eventvoid v LEFT JOIN billing_ledgerentry e ON e.account_id = v.account_id AND e.seq = v.entry_seq
 WHERE v.account_id = ANY(%(accounts)s) GROUP BY 2, 3
UNION ALL
SELECT 'capture', coalesce(h.reference, e.id::text), e.account_id, count(*), sum(e.amount)
  FROM billing_ledgerentry e LEFT JOIN billing_hold h ON h.account_id = e.account_id AND h.entry_seq = e.seq
 WHERE e.account_id = ANY(%(accounts)s) AND e.kind = 'capture' GROUP BY 2, 3
"""


@dataclass(frozen=True)
class Effect:
    times: int
    credits: Decimal


Effects = Mapping[tuple[str, str, UUID], Effect]


@dataclass
class Verdict:
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (self.lost or self.doubled or self.other)

    def __str__(self) -> str:
        return "\n".join([*self.lost[:10], *self.doubled[:10], *self.other[:10]])


def judge(claims: list[Claim], cast: Cast) -> Verdict:
    """Compares everything that was ever claimed with the database as it is now. `check_ledger` must also pass."""
    connection.close()  # our connection may be to a server that was killed
    with snapshot.consistent():
        verdict = look(claims, cast)
    verdict.other += [str(finding) for finding in reconciliation.run()]
    return verdict


def look(claims: list[Claim], cast: Cast) -> Verdict:
    """The same without `check_ledger`, in the caller's transaction."""
    accounts = {claim.account for claim in claims} | {cast.poor.account}
    balances = dict(LedgerAccount.objects.filter(pk__in=accounts).values_list("pk", "balance"))
    openings = {account: cast.opening(account) for account in accounts}
    verdict = compare(claims, _effects(accounts), balances, openings)
    verdict.other += invariants.broken(cast, accounts)
    return verdict


def _effects(accounts: Iterable[UUID]) -> Effects:
    with connection.cursor() as cursor:
        cursor.execute(EFFECTS, {"accounts": list(accounts), "slice": SLICE, "extension": EXTENSION})
        return {(kind, id, account): Effect(n, credits) for kind, id, account, n, credits in cursor.fetchall()}


def compare(
    claims: list[Claim], effects: Effects, balances: Mapping[UUID, Decimal], openings: Mapping[UUID, Decimal]
) -> Verdict:
    """Unacknowledged effects may be there once, refused ones never. `openings` are the initial balances."""
    verdict = Verdict()
    sums: defaultdict[UUID, Decimal] = defaultdict(Decimal)
    for claim in claims:
        effect = effects.get((claim.kind, claim.id, claim.account))
        if effect is None:
            verdict.lost += [f"lost: {claim}"] * claim.must
            continue
        sums[claim.account] += effect.credits if claim.priced_by_tiers else claim.credits
        if claim.must_not:
            verdict.other.append(f"refused, and there: {claim}")
        elif effect.times > claim.most:
            verdict.doubled.append(f"{effect.times} times: {claim}")
        elif effect.credits != claim.credits and not claim.priced_by_tiers:
            verdict.other.append(f"{effect.credits} credits: {claim}")
    claimed = {(claim.kind, claim.id, claim.account) for claim in claims}
    verdict.doubled += [f"nobody asked for it: {key}" for key in effects if key not in claimed]
    for account, balance in balances.items():
        if balance != openings[account] + sums[account]:
            verdict.other.append(f"balance {balance} of {account}; the clients say {openings[account] + sums[account]}")
    return verdict
