"""Printing a paper of 20 lines with its e-invoice, compared with the same page as a plain PDF."""

import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.cast import Cast
from benchmarks.measure import Options, Row, compare

BOUND = 3
TIMES = 5
MOMENT = datetime(2026, 12, 1, tzinfo=UTC)
LINE = {"description": "SMS, Acme Inc.", "quantity": "10,000", "price": "0.01", "amount": "EUR 100.00"}
PAPER: dict[str, Any] = {
    "title": "Invoice INV-2026-000001",
    "date": {"year": 2026, "month": 12, "day": 1},
    "seller": {"name": "Tollgate GmbH"},
    "seller_line": "Tollgate GmbH, Torstraße 1, 10115 Berlin",
    "seller_lines": ["Tollgate GmbH", "Torstraße 1", "10115 Berlin", "Germany"],
    "buyer_lines": ["Acme Inc.", "1 Main Street", "Springfield", "United States"],
    "facts": [["Date", "1 December 2026"], ["Due", "1 December 2026"]],
    "lines": [LINE] * 20,
    "annex": [],
    "sums": [["Net", "EUR 2,000.00"], ["VAT 19 %", "EUR 380.00"]],
    "total": ["Total", "EUR 2,380.00"],
    "notes": ["Thank you."],
    "footer": "Invoice INV-2026-000001, Tollgate GmbH",
}
XML = "<invoice>" + "<line>10000</line>" * 400 + "</invoice>"


def measure(cast: Cast, options: Options) -> Row:
    from billing.invoicing.documents import printing

    def ours() -> float:
        began = time.perf_counter()
        assert printing.pdf(PAPER, XML, MOMENT).standard
        return (time.perf_counter() - began) * 1000

    def plain() -> float:
        began = time.perf_counter()
        printing.plain(PAPER, MOMENT)
        return (time.perf_counter() - began) * 1000

    pair = compare(ours, plain, options.rounds, times=TIMES)
    what = "a PDF/A-3 with its e-invoice, one page"
    return Row(what, "the same page as a plain PDF by typst", BOUND, at_most=True, unit="ms", **pair.columns)
