"""The papers that follow when a payment, a refund or a dispute ends. Called last in the transaction that settles it.

No invoice is credited twice: if an operator's credit note has given money back as credits, and then the money itself
goes back, only what is left of the invoice is credited.
"""

from datetime import datetime
from decimal import Decimal

from accounts.lib.money import ZERO
from billing.invoicing import papers, unpaid
from billing.invoicing.papers import Draft, Line
from billing.models import Dispute, Invoice, InvoiceState, Payment, Refund


def after_payment(payment: Payment, now: datetime) -> None:
    """A purchase or recharge gets its invoice, which is paid already. The payment of an invoice settles that one.

    Money for an invoice that another payment has settled meanwhile buys credits, and gets an invoice of its own.
    """
    if payment.invoice and payment.invoice.state.status != InvoiceState.Status.PAID:
        unpaid.settle(payment.invoice, now)
        return
    papers.issue(
        Draft(
            payer=payment.organization,
            kind=Invoice.Kind.INVOICE,
            currency=payment.currency,
            period_start=now,
            period_end=now,
            lines=[Line("Credits", "", None, payment.amount, Decimal(1), payment.amount)],
            payment=payment,
        ),
        now=now,
    )


def after_refund(refund: Refund, now: datetime) -> None:
    """What was paid back is credited. A payment of release 0.1.0 has no invoice to credit."""
    invoice = refund.payment.invoice
    if invoice and (amount := min(refund.total, papers.left(invoice))):
        refund.credit_note = papers.credit(invoice, amount, f"Refund: {refund.reason}", now=now)
        refund.save(update_fields=["credit_note"])


def after_failed_refund(refund: Refund, now: datetime) -> None:
    """Its money came back days later."""
    if refund.credit_note:
        papers.take_back(refund.credit_note, "The refund could not be paid out", now=now)


def after_dispute(dispute: Dispute, lost: Decimal, now: datetime) -> None:
    """`lost` is the money that the bank has taken for good: it is credited, as if it had been refunded.

    If some of it comes back later, its credit note is taken back, and another one is issued for the rest.
    """
    invoice, note = dispute.payment.invoice, dispute.credit_note
    credited = note.total if note else ZERO
    amount = min(lost, papers.left(invoice) + credited) if invoice else ZERO
    if invoice is None or amount == credited:
        return
    if note:
        papers.take_back(note, "The money of a dispute came back", now=now)
    reason = f"Disputed at the bank: {dispute.reason or 'no reason given'}"
    dispute.credit_note = papers.credit(invoice, amount, reason, now=now) if amount else None
