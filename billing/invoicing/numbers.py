"""Numbers of papers, without gaps: one series a seller, kind of paper and year.

All payers share the row of a series, so it is locked last, and only until the commit. What is rolled back gives its
number back.
"""

from dataclasses import dataclass

from django.conf import settings

from accounts.lib import sql

TAKE = """
INSERT INTO billing_invoiceseries (seller, kind, year, last)
VALUES (%(seller)s::text, %(kind)s::text, %(year)s::int, %(count)s::int)
ON CONFLICT (seller, kind, year) DO UPDATE SET last = billing_invoiceseries.last + excluded.last
RETURNING id, last
"""


@dataclass(frozen=True)
class Number:
    """`ordinal` counts from 1 in the series; `text` is what the paper shows, such as `INV-2026-000123`."""

    series: int
    ordinal: int
    text: str


def take(kind: str, year: int, count: int) -> list[Number]:
    """The next numbers. They are the caller's once its transaction commits; others wait for that."""
    sql.require_transaction()
    named = {"seller": settings.SELLER["code"], "kind": kind, "year": year, "count": count}
    [(series, last)] = sql.rows(TAKE, named)
    prefix = f"{settings.INVOICE_PREFIXES[kind]}-{year}"
    return [Number(series, ordinal, f"{prefix}-{ordinal:06}") for ordinal in range(last - count + 1, last + 1)]
