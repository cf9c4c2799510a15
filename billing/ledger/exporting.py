"""Exports of a ledger, with the seals of its entries. A signature covers all of the file."""

from collections.abc import Iterable
from datetime import datetime

from django.utils import timezone

from accounts import events
from accounts.events import sealing
from accounts.lib import chains, exact_json, spreadsheets
from accounts.lib.spreadsheets import Cell
from accounts.models import Organization
from billing.ledger import seals
from billing.models import LedgerEntry

MOST = 10_000


def export(
    organization: Organization, format: str, *, after: int, start: datetime | None, end: datetime | None
) -> bytes:
    """Up to 10,000 entries after the one with this id, oldest first. It is an event of the organization's.

    They are sealed first, so that all of them are in the chain, up to one that is missing.
    """
    now = timezone.now()
    seals.seal(organization.pk, now)
    sealed, _ = seals.last_of(organization.pk)
    entries = LedgerEntry.objects.of(organization).filter(seq__gt=after).order_by("seq")
    if start:
        entries = entries.filter(created_at__gte=start)
    if end:
        entries = entries.filter(created_at__lt=end)
    rows = list(entries[:MOST])
    content = _table(rows) if format == "csv" else _lines(organization, rows, min(after, sealed) + 1)
    _tell(organization, format, rows[0].seq if rows else after + 1, len(rows))
    return content


def table(organization: Organization, entries: Iterable[LedgerEntry]) -> bytes:
    """These entries as CSV, in their order. It is an event as well."""
    rows = list(entries)
    _tell(organization, "csv", min((entry.seq for entry in rows), default=0), len(rows))
    return _table(rows)


def _tell(organization: Organization, format: str, first: int, count: int) -> None:
    data = {"format": format, "first": first, "entries": count}
    events.record(organization.pk, "ledger.exported", data, timezone.now(), targets=[organization.public_id])


def _lines(organization: Organization, rows: list[LedgerEntry], first: int) -> bytes:
    payer, first = organization.pk, rows[0].seq if rows else first
    file = chains.File(seals.LOG, organization.public_id, first, seals.digest_at(payer, first - 1))
    sealed = seals.digests(payer, first, rows[-1].seq) if rows else {}
    for entry in rows:
        file.add("entry", seals.line(entry), sealed.get(entry.seq))
    return file.signed(sealing.sign)


def _table(rows: list[LedgerEntry]) -> bytes:
    return spreadsheets.csv_of(seals.COLUMNS, map(_cells, rows))


def _cells(entry: LedgerEntry) -> list[Cell]:
    return [exact_json.dumps(value) if isinstance(value, dict) else value for value in seals.values(entry)]
