"""The seal of the ledger: a chain of digests over each payer's entries, as events have it.

Postings know nothing of it: a sweep seals what they have written, in batches. Whoever changes an entry in the database
later changes what its digest should be. And anyone who rewrites the digests as well contradicts the signed heads that
have already left the database, in exports and once a day in an event.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog
from django.db import transaction

from accounts import events
from accounts.events import sealing
from accounts.lib import chains, exact_json, identifiers, sql
from accounts.models import Event, Organization
from billing.models import LedgerEntry, LedgerSeal
from billing.models.ledger import DIGEST_BYTES

log = structlog.get_logger()

LOG = "ledger"
BATCH = 1000
RECENT = timedelta(minutes=5)
SEALED = "ledger.sealed"
COLUMNS = (
    *("id", "kind", "amount", "balance_after", "description", "reference", "metadata", "reverses", "actor"),
    "created_at",
)

# There's a race: two processes that seal one payer would both continue the same digest. The lock ends with the
# transaction.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('seals of ' || %(payer)s::uuid, 0))"

# Payers that have entries past their last seal: those that posted lately, or all of them.
LAST = "coalesce((SELECT max(last_seq) FROM billing_ledgerseal s WHERE s.account_id = a.organization_id), 0)"
DUE_LATELY = sql.compose(
    """
SELECT a.organization_id FROM billing_ledgeraccount a
 WHERE a.organization_id IN (SELECT account_id FROM billing_ledgerentry WHERE id >= %(since)s) AND a.seq > {last}
""",
    last=LAST,
)
DUE = sql.compose("SELECT a.organization_id FROM billing_ledgeraccount a WHERE a.seq > {last}", last=LAST)


def values(entry: LedgerEntry) -> tuple[Any, ...]:
    """An entry's `COLUMNS`."""
    return (
        entry.seq,
        entry.kind,
        entry.amount,
        entry.balance_after,
        entry.description,
        entry.reference,
        entry.metadata,
        entry.reverses_seq,
        entry.actor,
        sealing.written(entry.created_at),
    )


def line(entry: LedgerEntry) -> str:
    """What is sealed. It must stay the same for ever, to the letter: exports are proved by it."""
    return exact_json.dumps(dict(zip(COLUMNS, values(entry), strict=True)))


def sweep(now: datetime, *, everybody: bool = False) -> int:
    """Seal what was posted in the last minutes, or everything that is not sealed yet. Returns how many entries."""
    statement, parameters = (DUE, {}) if everybody else (DUE_LATELY, {"since": identifiers.first_uuid7(now - RECENT)})
    return sum(seal(payer, now) for (payer,) in sql.rows(statement, parameters))


def seal(payer: UUID, now: datetime) -> int:
    """Seal all entries of a payer that are not sealed yet."""
    sealed = 0
    while batch := _seal_batch(payer, now):
        sealed += batch
    return sealed


@transaction.atomic
def _seal_batch(payer: UUID, now: datetime) -> int:
    """The lock is a statement of its own, so that the next one sees what was committed while it waited."""
    sql.rows(LOCK, {"payer": payer})
    seq, digest = last_of(payer)
    digests: list[bytes] = []
    for entry in LedgerEntry.objects.filter(account=payer, seq__gt=seq).order_by("seq")[:BATCH]:
        if entry.seq != seq + len(digests) + 1:
            log.error("ledger entry missing", payer=str(payer), seq=seq + len(digests) + 1)
            break
        digest = chains.chained(digest, chains.line_digest(line(entry)))
        digests.append(digest)
    if digests:
        LedgerSeal.objects.create(
            account_id=payer,
            first_seq=seq + 1,
            last_seq=seq + len(digests),
            digests=b"".join(digests),
            sealed_at=now,
        )
    return len(digests)


def last_of(payer: UUID) -> tuple[int, bytes]:
    """The last entry that is sealed, and its digest."""
    row = LedgerSeal.objects.filter(account=payer).order_by("-last_seq").first()
    return (row.last_seq, row.digest_of(row.last_seq)) if row else (0, chains.START)


def digest_at(payer: UUID, seq: int) -> bytes:
    """The digest of an entry that is sealed, and so of all before it."""
    row = LedgerSeal.objects.filter(account=payer, last_seq__gte=seq).order_by("last_seq").first() if seq else None
    return row.digest_of(seq) if row else chains.START


def digests(payer: UUID, first: int, last: int) -> dict[int, bytes]:
    """The digests of the entries from `first` to `last`, by their seq."""
    rows = LedgerSeal.objects.filter(account=payer, last_seq__gte=first, first_seq__lte=last)
    return {seq: row.digest_of(seq) for row in rows for seq in range(row.first_seq, row.last_seq + 1)}


def head(organization: Organization) -> dict[str, Any]:
    """The newest seal, signed. Kept outside, it shows later whether entries were changed or are missing at the end."""
    last, digest = last_of(organization.pk)
    claims = {"log": LOG, "organization": organization.public_id, "last": last, "digest": digest.hex()}
    return {**claims, "signature": sealing.sign(claims)}


def announce(now: datetime) -> int:
    """Once a day, as an event: the newest seal of each ledger that went on. Returns how many there were."""
    known = Event.objects.filter(type=SEALED, organization__in=LedgerSeal.objects.values("account"))
    yesterday = known.filter(pk__gte=identifiers.first_uuid7(now - timedelta(hours=23)))
    moved = LedgerSeal.objects.filter(sealed_at__gte=now - timedelta(days=1)).values("account")
    roots = Organization.objects.filter(pk__in=moved).exclude(pk__in=yesterday.values("organization"))
    for root in roots:
        events.record(root.pk, SEALED, head(root), now, actor=events.SYSTEM, targets=[root.public_id])
    return len(roots)


def check() -> Iterator[tuple[UUID, str]]:
    """Entries that differ from their seal: the payer, and a sentence with the first wrong entry. In one snapshot."""
    for payer in LedgerSeal.objects.order_by("account").values_list("account", flat=True).distinct():
        if wrong := _first_wrong(payer):
            yield payer, wrong


def _first_wrong(payer: UUID) -> str:
    seq, digest = 0, chains.START
    entries = LedgerEntry.objects.filter(account=payer).order_by("seq").iterator(chunk_size=BATCH)
    for row in LedgerSeal.objects.filter(account=payer).order_by("last_seq"):
        if row.first_seq != seq + 1 or len(row.digests) != DIGEST_BYTES * (row.last_seq - seq):
            return f"the seal of entries {row.first_seq} to {row.last_seq} doesn't follow from entry {seq}"
        for seq in range(row.first_seq, row.last_seq + 1):
            entry = next(entries, None)
            if entry is None or entry.seq != seq:
                return f"entry {seq} is sealed, and missing"
            digest = chains.chained(digest, chains.line_digest(line(entry)))
            if digest != row.digest_of(seq):
                return f"entry {seq} is not what was sealed"
    return ""
