"""Issuing papers: invoices, credit notes and statements. Once issued, they never change; see `Invoice`.

A mistake is corrected by a credit note. What becomes of a paper, and its PDF, are rows of their own.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import chain
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max, Sum
from django.utils import timezone

from accounts import events
from accounts.lib import broker, sql, timezones
from accounts.lib.money import ZERO
from accounts.models import Organization
from billing.invoicing import numbers, tax
from billing.invoicing.tax import Tax
from billing.models import BillingAccount, Invoice, InvoiceLine, InvoiceState, Payment

Kind = Invoice.Kind
Status = InvoiceState.Status
PRINT = "billing.tasks.make_documents"


@dataclass(frozen=True)
class Line:
    """`meter` is a slug or empty. `quantity` times the price needn't give `amount`, which is what counts."""

    description: str
    meter: str
    organization: UUID | None
    quantity: Decimal | None
    unit_amount: Decimal | None
    amount: Decimal


@dataclass(frozen=True)
class Draft:
    """What is to be issued.

    - `lines`: on an invoice and a credit note they have the currency's decimals, and add up to the net amount; on a
      statement they are credits, and add up to the closing balance.
    - `payment`: it has paid the invoice already, with the taxes that it was charged.
    - `corrects`: the invoice of a credit note; or the credit note that an invoice takes back, which is then paid.
    - `due_at`: of an invoice that is not paid yet; by default `INVOICE_DUE_DAYS` from now.
    - `annex`: the exact figures behind the lines, shown after them.
    - `taxes`: assessed before; without them, an invoice that is not paid yet is assessed now, by the table of rates.
    - `account`: the payer's, if it was read already, under the lock.
    """

    payer: Organization
    kind: str
    currency: str
    period_start: datetime
    period_end: datetime
    lines: Sequence[Line]
    payment: Payment | None = None
    corrects: Invoice | None = None
    due_at: datetime | None = None
    annex: Sequence[Line] = ()
    taxes: Sequence[Tax] | None = None
    account: BillingAccount | None = None

    @property
    def subtotal(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)

    @property
    def is_owed(self) -> bool:
        return self.kind == Kind.INVOICE and self.payment is None and self.corrects is None


def issue(draft: Draft, *, now: datetime) -> Invoice:
    """Issue a paper in the caller's transaction, which holds the payer's lock and commits soon after.

    All payers share the series of numbers, so call it last. The PDF is made after the commit. `ValueError` for lines
    that such a paper can't have, which is a bug in our code.
    """
    [paper] = issue_all([draft], now=now)
    return paper


def issue_all(drafts: Sequence[Draft], *, now: datetime) -> list[Invoice]:
    """Issue papers of several payers, one each, as `issue` does for one."""
    sql.require_transaction()
    for draft in drafts:
        _check(draft)
    last = _last_issued([draft.payer.pk for draft in drafts])
    papers = [_paper(draft, last.get(draft.payer.pk), now) for draft in drafts]
    issued = list(zip(papers, drafts, strict=True))
    lines = ([*_rows(paper, draft.lines), *_rows(paper, draft.annex, is_annex=True)] for paper, draft in issued)
    sql.copy(InvoiceLine, chain.from_iterable(lines))
    due = timezone.now()
    states = [InvoiceState(invoice=paper, document_due_at=due, **_state(paper, draft, now)) for paper, draft in issued]
    sql.copy(InvoiceState, map(vars, states))
    _number(papers, now)
    sql.copy(Invoice, map(vars, papers))
    for paper, draft in issued:
        if draft.payment:
            draft.payment.invoice = paper
            draft.payment.save(update_fields=["invoice"])
    events.record_all("invoice.issued", [_happening(paper) for paper in papers], now)
    broker.nudge(PRINT)
    return papers


def _paper(draft: Draft, last: datetime | None, now: datetime) -> Invoice:
    """It is issued now, but later than the payer's `last` one, even if another server's clock is ahead."""
    account = draft.account or BillingAccount.objects.of(draft.payer).get()
    taxes = _taxes(draft, account, now)
    subtotal, tax_total = draft.subtotal, tax.total(taxes)
    due_at = draft.due_at or now + timedelta(days=settings.INVOICE_DUE_DAYS)
    return Invoice(
        organization=draft.payer,
        kind=draft.kind,
        currency=draft.currency,
        period_start=draft.period_start,
        period_end=draft.period_end,
        issued_at=max(now, last + datetime.resolution) if last else now,
        due_at=due_at if draft.is_owed else None,
        corrects=draft.corrects,
        seller=settings.SELLER,
        buyer=_buyer(account, draft.payer),
        taxes=[each.as_json() for each in taxes],
        subtotal=subtotal,
        tax=tax_total,
        total=subtotal + tax_total,
    )


def _number(papers: Sequence[Invoice], now: datetime) -> None:
    """The series are locked in order of their kinds, and until the commit."""
    year = now.astimezone(timezones.zone(settings.SELLER["timezone"])).year
    for kind in sorted({paper.kind for paper in papers} - {Kind.STATEMENT}):
        of_kind = [paper for paper in papers if paper.kind == kind]
        for paper, number in zip(of_kind, numbers.take(kind, year, len(of_kind)), strict=True):
            paper.series_id, paper.ordinal, paper.number = number.series, number.ordinal, number.text


def _check(draft: Draft) -> None:
    if draft.kind == Kind.STATEMENT:
        return
    if any(line.amount != tax.rounded(line.amount, draft.currency) for line in draft.lines) or draft.subtotal < 0:
        raise ValueError(f"The lines of this {draft.kind} can't be paid in {draft.currency}.")
    if draft.kind == Kind.CREDIT_NOTE and (draft.corrects is None or draft.taxes is None):
        raise ValueError("A credit note corrects an invoice, and gives back some of its taxes.")


def _taxes(draft: Draft, account: BillingAccount, now: datetime) -> list[Tax]:
    if draft.kind == Kind.STATEMENT:
        return []
    if draft.taxes is not None:
        return list(draft.taxes)
    if draft.payment:
        return tax.from_json(draft.payment.taxes)
    if settings.TAX_PROVIDER != tax.TABLE:
        raise ValueError("A service that assesses taxes is asked before the transaction.")
    return tax.assess(account, draft.subtotal, draft.currency, now)


def _last_issued(payers: Collection[UUID]) -> dict[UUID, datetime]:
    """When the last paper of each payer was issued, if there is one. Under the payers' locks."""
    issued = Invoice.objects.filter(organization__in=payers).values_list("organization")
    return dict(issued.annotate(Max("issued_at")))


def _buyer(account: BillingAccount, payer: Organization) -> dict[str, str]:
    copied = (
        *("public_id", "name", "email", "line1", "line2", "postal_code", "city", "state", "country"),
        *("vat_id", "purchase_order"),
    )
    return {**{name: getattr(account, name) for name in copied}, "timezone": payer.timezone}


def _rows(paper: Invoice, lines: Sequence[Line], *, is_annex: bool = False) -> Iterator[dict[str, Any]]:
    for position, line in enumerate(lines, start=1):
        place = {"invoice_id": paper.pk, "is_annex": is_annex, "position": position}
        yield {**place, **vars(line), "organization_id": line.organization}


def _state(paper: Invoice, draft: Draft, now: datetime) -> dict[str, Any]:
    if draft.kind != Kind.INVOICE:
        return {"status": Status.ISSUED}
    if draft.is_owed and paper.total:
        return {"status": Status.OPEN, "next_attempt_at": paper.due_at}
    return {"status": Status.PAID, "paid_at": now}


def tell(paper: Invoice, type: str, now: datetime) -> None:
    events.record_all(type, [_happening(paper)], now)


def _happening(paper: Invoice) -> tuple[UUID, dict[str, Any], list[str]]:
    data = {
        "invoice": paper.public_id,
        "number": paper.number or None,
        "kind": paper.kind,
        "status": paper.state.status,
        "total": paper.total,
        "currency": paper.currency,
    }
    return paper.organization_id, data, [paper.public_id]


def credit(invoice: Invoice, amount: Decimal, description: str, *, now: datetime) -> Invoice:
    """Issue a credit note over `amount`, tax included. The caller has checked that this much is left of the invoice."""
    taxes = tax.credited(invoice, before=credited(invoice), amount=amount)
    net = amount - tax.total(taxes)
    draft = Draft(
        payer=invoice.organization,
        kind=Kind.CREDIT_NOTE,
        currency=invoice.currency,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        lines=[Line(description, "", None, Decimal(1), net, net)],
        corrects=invoice,
        taxes=taxes,
    )
    return issue(draft, now=now)


def take_back(note: Invoice, description: str, *, now: datetime) -> Invoice:
    """Issue an invoice that takes a credit note back, because its money was not paid out after all."""
    draft = Draft(
        payer=note.organization,
        kind=Kind.INVOICE,
        currency=note.currency,
        period_start=note.period_start,
        period_end=note.period_end,
        lines=[Line(description, "", None, Decimal(1), note.subtotal, note.subtotal)],
        corrects=note,
        taxes=tax.from_json(note.taxes),
    )
    return issue(draft, now=now)


def left(invoice: Invoice) -> Decimal:
    """What no credit note has given back yet, tax included."""
    return Decimal(invoice.total - credited(invoice))


def credited(invoice: Invoice) -> Decimal:
    """How much of an invoice its credit notes give back, tax included, without those that were taken back."""
    notes = Invoice.objects.of(invoice.organization).filter(corrects=invoice)
    taken_back = Invoice.objects.of(invoice.organization).filter(corrects__in=notes)
    sums = [papers.aggregate(total=Sum("total"))["total"] or ZERO for papers in (notes, taken_back)]
    return Decimal(sums[0] - sums[1])
