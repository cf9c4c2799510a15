"""Numbers of papers, without gaps: one series a seller, kind of paper and year.

All payers share the row of a series, so it is locked last, and only until the commit. What is rolled back gives its
number back.
"""

from dataclasses import dataclass

from django.conf import settings

from accounts.lib import sql

TAKE = """
INSERT INTO billing_invoiceseries (seller, kind, year, last) VALUES (%(seller)s::text, %(kind)s::text, %(year)s::int, 1)
ON CONFLICT (seller, kind, year) DO UPDATE SET last = billing_invoiceseries.last + 1
RETURNING id, last
"""


@dataclass(frozen=True)
class Number:
    """`ordinal` counts from 1 in the series; `text` is what the paper shows, such as `INV-2026-000123`."""

    series: int
    ordinal: int
    text: str


def take(kind: str, year: int) -> Number:
    """The next number. It is the caller's once its transaction commits; others wait for that."""
    sql.require_transaction()
    named = {"seller": settings.SELLER["code"], "kind": kind, "year": year}
    [(series, ordinal)] = sql.rows(TAKE, named)
    return Number(series, ordinal, f"{settings.INVOICE_PREFIXES[kind]}-{year}-{ordinal:06}")
