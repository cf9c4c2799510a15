"""The tables of a month: entries, balances, papers, taxes, and the journal that follows from them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.conf import settings

from accounts.events import sealing
from accounts.lib import months, sql
from accounts.lib.money import ZERO
from accounts.lib.spreadsheets import Cell
from billing.finance import deferred
from billing.invoicing import tax
from billing.models import Invoice, LedgerEntry

KINDS = [kind.value for kind in LedgerEntry.Kind]

ENTRIES = """
SELECT o.public_id, coalesce(b.currency, ''), e.seq, e.kind, e.amount, e.balance_after, e.description, e.reference,
       e.reverses_seq, e.created_at
  FROM billing_ledgerentry e
  JOIN accounts_organization o ON o.id = e.account_id
  LEFT JOIN billing_billingaccount b ON b.organization_id = e.account_id
 WHERE e.created_at >= %(start)s AND e.created_at < %(end)s
 ORDER BY o.public_id, e.seq
"""

# The balance at both ends is what the last entry before them left. `is_mixed`: it also got credits as a gift.
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
 ORDER BY o.public_id
"""
MOVED = """
SELECT account_id, kind, sum(amount) FROM billing_ledgerentry
 WHERE created_at >= %(start)s AND created_at < %(end)s GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Table:
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


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


def of(month: date) -> dict[str, Table]:
    """By the name of the file. Months are those of the seller's time zone."""
    start, end = months.bounds(month, settings.SELLER["timezone"])
    accounts = list(_accounts(start, end))
    papers = list(
        Invoice.objects.exclude(kind=Invoice.Kind.STATEMENT)
        .filter(issued_at__gte=start, issued_at__lt=end)
        .select_related("organization", "corrects")
        .order_by("kind", "number")
    )
    return {
        "entries.csv": _entries(start, end),
        "balances.csv": _balances(accounts),
        "invoices.csv": _invoices(papers),
        "taxes.csv": _taxes(papers),
        "journal.csv": _journal(months.shift(month, 1), accounts, papers),
    }


def _accounts(start: datetime, end: datetime) -> Iterator[Account]:
    bounds = {"start": start, "end": end}
    moved: defaultdict[Any, dict[str, Decimal]] = defaultdict(dict)
    for account, kind, amount in sql.rows(MOVED, bounds):
        moved[account][kind] = amount
    for account, organization, currency, opening, closing, is_mixed in sql.rows(ACCOUNTS, bounds):
        paid = deferred.paid(account, end) if is_mixed else max(closing, ZERO)
        yield Account(organization, currency, opening, closing, moved[account], paid)


def _entries(start: datetime, end: datetime) -> Table:
    columns = ("organization", "currency", "id", "kind", "amount", "balance_after", "description", "reference")
    rows = [
        (*fields, sealing.written(created_at))
        for *fields, created_at in sql.rows(ENTRIES, {"start": start, "end": end})
    ]
    return Table((*columns, "reverses", "created_at"), rows)


def _balances(accounts: Iterable[Account]) -> Table:
    """Opening and what moved give closing; paid and promotional credits, less the debt, give closing too."""
    columns = ("organization", "currency", "opening", *KINDS, "closing", "deferred_revenue", "promotional", "debt")
    rows: list[Sequence[Cell]] = [
        [
            *(account.organization, account.currency, account.opening),
            *(account.moved.get(kind, ZERO) for kind in KINDS),
            *(account.closing, account.paid, account.promotional, max(-account.closing, ZERO)),
        ]
        for account in accounts
    ]
    return Table(columns, rows)


def _invoices(papers: Iterable[Invoice]) -> Table:
    columns = ("number", "kind", "organization", "name", "country", "vat_id", "issued_at", "due_at", "currency", "net")
    rows = [
        (
            *(paper.number, paper.kind, paper.organization.public_id, paper.buyer["name"], paper.buyer["country"]),
            *(paper.buyer["vat_id"], sealing.written(paper.issued_at)),
            *(sealing.written(paper.due_at) if paper.due_at else None, paper.currency, paper.subtotal, paper.tax),
            *(paper.total, paper.corrects.number if paper.corrects else None),
        )
        for paper in papers
    ]
    return Table((*columns, "tax", "total", "corrects"), rows)


def _taxes(papers: Iterable[Invoice]) -> Table:
    """Of credit notes below zero, so that the columns can be summed."""
    rows = [
        (
            *(paper.number, paper.buyer["country"], paper.currency, part.name, part.category, part.percent),
            *(_sign(paper) * part.taxable, _sign(paper) * part.amount),
        )
        for paper in papers
        for part in tax.from_json(paper.taxes)
    ]
    return Table(("number", "country", "currency", "name", "category", "percent", "taxable", "tax"), rows)


def _sign(paper: Invoice) -> int:
    return -1 if paper.kind == Invoice.Kind.CREDIT_NOTE else 1


def _journal(end: date, accounts: Iterable[Account], papers: Iterable[Invoice]) -> Table:
    """What moved the customers' credits, by kind, and the taxes; each line a debit and a credit of the same amount.

    Lines are rounded to what can be paid. Another one has what the rounding left, so that the lines of customers'
    credits are the rounded balance at the end, less the rounded one at the beginning.
    """
    moved: defaultdict[str, defaultdict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    openings: defaultdict[str, Decimal] = defaultdict(Decimal)
    closings: defaultdict[str, Decimal] = defaultdict(Decimal)
    for account in accounts:
        for kind, amount in account.moved.items():
            moved[account.currency][kind] += amount
        openings[account.currency] += account.opening
        closings[account.currency] += account.closing
    lines: list[Sequence[Cell]] = []
    for currency in sorted(closings):
        kinds = {kind: tax.rounded(moved[currency][kind], currency) for kind in KINDS}
        change = tax.rounded(closings[currency], currency) - tax.rounded(openings[currency], currency)
        kinds["rounding"] = change - sum(kinds.values(), ZERO)
        lines += [_line(end, currency, kind, "credits", amount) for kind, amount in kinds.items() if amount]
    taxes: defaultdict[str, Decimal] = defaultdict(Decimal)
    for paper in papers:
        taxes[paper.currency] += _sign(paper) * paper.tax
    lines += [_line(end, currency, "purchase", "tax", amount) for currency, amount in sorted(taxes.items()) if amount]
    return Table(("date", "currency", "text", "debit", "credit", "amount"), lines)


def _line(end: date, currency: str, kind: str, against: str, amount: Decimal) -> Sequence[Cell]:
    """What raises the customers' credits is credited to them."""
    names = settings.FINANCE_ACCOUNTS
    debit, credit = (names[kind], names[against]) if amount > 0 else (names[against], names[kind])
    text = f"Customers' credits: {kind}" if against == "credits" else "Tax"
    return (str(end - timedelta(days=1)), currency, text, debit, credit, abs(amount))
