"""The tables of a month: entries, balances, papers, taxes, and the journal that follows from them.

Rows are read while they are written, a batch of customers at a time, so a month of any size needs little memory. The
underlying rows never change, so no snapshot is needed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.conf import settings

from accounts.events import sealing
from accounts.exports import rows
from accounts.lib import months, sql
from accounts.lib.money import ZERO
from accounts.lib.spreadsheets import Cell
from billing.finance import deferred
from billing.invoicing import tax
from billing.models import Invoice, LedgerEntry

Bounds = Mapping[str, datetime]  # `start` and `end`

KINDS = [kind.value for kind in LedgerEntry.Kind]

# In memory at a time.
PAYERS_BATCH, ENTRIES_BATCH, PAPERS_BATCH = 1_000, 10_000, 1_000

ENTRIES = """
SELECT o.public_id, coalesce(b.currency, ''), e.seq, e.kind, e.amount, e.balance_after, e.description, e.reference,
       e.reverses_seq, e.created_at
  FROM billing_ledgerentry e
  JOIN accounts_organization o ON o.id = e.account_id
  LEFT JOIN billing_billingaccount b ON b.organization_id = e.account_id
 WHERE e.account_id = ANY(%(accounts)s::uuid[]) AND e.created_at >= %(start)s AND e.created_at < %(end)s
   AND (o.public_id, e.seq) > (%(payer)s, %(seq)s)
 ORDER BY o.public_id, e.seq LIMIT %(batch)s
"""

PAYERS = """
SELECT a.organization_id, o.public_id
  FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
 WHERE o.public_id > %(after)s ORDER BY o.public_id LIMIT %(batch)s
"""

# The balances at both ends are those after the last entry before them. `is_mixed`: it also got credits as a gift.
ACCOUNTS = """
SELECT a.organization_id, o.public_id, coalesce(b.currency, ''), coalesce(opening.balance, 0), closing.balance,
       EXISTS (SELECT FROM billing_grant g WHERE g.account_id = a.organization_id AND g.category = 'promotional'
                                             AND g.created_at < %(end)s) AS is_mixed
  FROM billing_ledgeraccount a
  JOIN accounts_organization o ON o.id = a.organization_id
  LEFT JOIN billing_billingaccount b ON b.organization_id = a.organization_id
  LEFT JOIN LATERAL (SELECT balance_after AS balance FROM billing_ledgerentry e
                      WHERE e.account_id = a.organization_id AND e.created_at < %(start)s
                      ORDER BY seq DESC LIMIT 1) opening ON true
  JOIN LATERAL (SELECT balance_after AS balance FROM billing_ledgerentry e
                 WHERE e.account_id = a.organization_id AND e.created_at < %(end)s
                 ORDER BY seq DESC LIMIT 1) closing ON true
 WHERE a.organization_id = ANY(%(accounts)s::uuid[])
 ORDER BY o.public_id
"""
MOVED = """
SELECT account_id, kind, sum(amount) FROM billing_ledgerentry
 WHERE account_id = ANY(%(accounts)s::uuid[]) AND created_at >= %(start)s AND created_at < %(end)s GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Iterable[Sequence[Cell]]


@dataclass(frozen=True)
class Account:
    """`moved` is signed, by the kind of entry. What is left of sold credits is `paid`."""

    organization: str
    currency: str
    opening: Decimal
    closing: Decimal
    moved: dict[str, Decimal]
    paid: Decimal

    @property
    def promotional(self) -> Decimal:
        return max(self.closing, ZERO) - self.paid


def _decimals() -> defaultdict[str, Decimal]:
    return defaultdict(Decimal)


@dataclass
class Sums:
    """By currency: what moved the balances by kind of entry, and their sums at both ends."""

    moved: defaultdict[str, defaultdict[str, Decimal]] = field(default_factory=lambda: defaultdict(_decimals))
    openings: defaultdict[str, Decimal] = field(default_factory=_decimals)
    closings: defaultdict[str, Decimal] = field(default_factory=_decimals)
    taxes: defaultdict[str, Decimal] = field(default_factory=_decimals)

    def add(self, account: Account) -> None:
        for kind, amount in account.moved.items():
            self.moved[account.currency][kind] += amount
        self.openings[account.currency] += account.opening
        self.closings[account.currency] += account.closing


def of(month: date) -> Iterator[tuple[str, Table]]:
    """The tables with their file names, to be read in this order. Months are in the seller's time zone."""
    start, end = months.bounds(month, settings.SELLER["timezone"])
    bounds, sums = {"start": start, "end": end}, Sums()
    yield "entries.csv", _entries(bounds)
    yield "balances.csv", _balances(bounds, sums)
    yield "invoices.csv", _invoices(_papers(start, end), sums)
    yield "taxes.csv", _taxes(_papers(start, end))
    yield "journal.csv", _journal(months.shift(month, 1), sums)


def _payers() -> Iterator[list[UUID]]:
    after = ""
    while batch := sql.rows(PAYERS, {"after": after, "batch": PAYERS_BATCH}):
        yield [payer for payer, _ in batch]
        after = batch[-1][1]


def _accounts(bounds: Bounds) -> Iterator[Account]:
    for payers in _payers():
        parameters = {**bounds, "accounts": payers}
        moved: defaultdict[Any, dict[str, Decimal]] = defaultdict(dict)
        for account, kind, amount in sql.rows(MOVED, parameters):
            moved[account][kind] = amount
        for account, organization, currency, opening, closing, is_mixed in sql.rows(ACCOUNTS, parameters):
            paid = deferred.paid(account, bounds["end"]) if is_mixed else max(closing, ZERO)
            yield Account(organization, currency, opening, closing, moved[account], paid)


def _entries(bounds: Bounds) -> Table:
    columns = ("organization", "currency", "id", "kind", "amount", "balance_after", "description", "reference")
    written = ((*fields, sealing.written(created_at)) for *fields, created_at in _entry_rows(bounds))
    return Table((*columns, "reverses", "created_at"), written)


def _entry_rows(bounds: Bounds) -> Iterator[tuple[Any, ...]]:
    for payers in _payers():
        parameters = {**bounds, "accounts": payers, "batch": ENTRIES_BATCH, "payer": "", "seq": 0}
        while batch := sql.rows(ENTRIES, parameters):
            yield from batch
            parameters["payer"], _, parameters["seq"], *_ = batch[-1]


def _papers(start: datetime, end: datetime) -> Iterator[Invoice]:
    issued = Invoice.objects.exclude(kind=Invoice.Kind.STATEMENT).filter(issued_at__gte=start, issued_at__lt=end)
    order, after = ("kind", "number", "pk"), None
    while batch := list(rows.past(issued.select_related("organization", "corrects"), order, after)[:PAPERS_BATCH]):
        yield from batch
        after = rows.key_of(batch[-1], order)


def _balances(bounds: Bounds, sums: Sums) -> Table:
    """The opening balance plus all movements is the closing balance; so are paid and promotional credits, less the
    debt.
    """
    columns = ("organization", "currency", "opening", *KINDS, "closing", "deferred_revenue", "promotional", "debt")
    return Table(columns, (_balance(account, sums) for account in _accounts(bounds)))


def _balance(account: Account, sums: Sums) -> Sequence[Cell]:
    sums.add(account)
    return (
        *(account.organization, account.currency, account.opening),
        *(account.moved.get(kind, ZERO) for kind in KINDS),
        *(account.closing, account.paid, account.promotional, max(-account.closing, ZERO)),
    )


def _invoices(papers: Iterable[Invoice], sums: Sums) -> Table:
    columns = ("number", "kind", "organization", "name", "country", "vat_id", "issued_at", "due_at", "currency", "net")
    return Table((*columns, "tax", "total", "corrects"), (_invoice(paper, sums) for paper in papers))


def _invoice(paper: Invoice, sums: Sums) -> Sequence[Cell]:
    sums.taxes[paper.currency] += _sign(paper) * paper.tax
    return (
        *(paper.number, paper.kind, paper.organization.public_id, paper.buyer["name"], paper.buyer["country"]),
        *(paper.buyer["vat_id"], sealing.written(paper.issued_at)),
        *(sealing.written(paper.due_at) if paper.due_at else None, paper.currency, paper.subtotal, paper.tax),
        *(paper.total, paper.corrects.number if paper.corrects else None),
    )


def _taxes(papers: Iterable[Invoice]) -> Table:
    """Taxes of credit notes are negative, so that the columns can be summed."""
    columns = ("number", "country", "currency", "name", "category", "percent", "taxable", "tax")
    return Table(columns, (row for paper in papers for row in _taxes_of(paper)))


def _taxes_of(paper: Invoice) -> Iterator[Sequence[Cell]]:
    for part in tax.from_json(paper.taxes):
        yield (
            *(paper.number, paper.buyer["country"], paper.currency, part.name, part.category, part.percent),
            *(_sign(paper) * part.taxable, _sign(paper) * part.amount),
        )


def _sign(paper: Invoice) -> int:
    return -1 if paper.kind == Invoice.Kind.CREDIT_NOTE else 1


def _journal(end: date, sums: Sums) -> Table:
    return Table(("date", "currency", "text", "debit", "credit", "amount"), _journal_lines(end, sums))


def _journal_lines(end: date, sums: Sums) -> Iterator[Sequence[Cell]]:
    """What moved the customers' credits, by kind, and the taxes; each line a debit and a credit of the same amount.

    Lines are rounded to what can be paid. One more line has the rounding difference, so that the lines of customers'
    credits add up to the rounded closing balance less the rounded opening balance.
    """
    for currency in sorted(sums.closings):
        kinds = {kind: tax.rounded(sums.moved[currency][kind], currency) for kind in KINDS}
        change = tax.rounded(sums.closings[currency], currency) - tax.rounded(sums.openings[currency], currency)
        kinds["rounding"] = change - sum(kinds.values(), ZERO)
        yield from (_line(end, currency, kind, "credits", amount) for kind, amount in kinds.items() if amount)
    yield from (
        _line(end, currency, "purchase", "tax", amount) for currency, amount in sorted(sums.taxes.items()) if amount
    )


def _line(end: date, currency: str, kind: str, against: str, amount: Decimal) -> Sequence[Cell]:
    """A movement that raises the customers' credits is credited to their account."""
    names = settings.FINANCE_ACCOUNTS
    debit, credit = (names[kind], names[against]) if amount > 0 else (names[against], names[kind])
    text = f"Customers' credits: {kind}" if against == "credits" else "Tax"
    return (str(end - timedelta(days=1)), currency, text, debit, credit, abs(amount))
