"""What the end of a payment or a refund means for papers. Called last in the transaction that settles it."""

from datetime import datetime
from decimal import Decimal

from billing.invoicing import papers, unpaid
from billing.invoicing.papers import Draft, Line
from billing.models import Invoice, InvoiceState, Payment, Refund


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
    if invoice:
        refund.credit_note = papers.credit(invoice, refund.total, f"Refund: {refund.reason}", now=now)
        refund.save(update_fields=["credit_note"])


def after_failed_refund(refund: Refund, now: datetime) -> None:
    """Its money came back days later."""
    if refund.credit_note:
        papers.take_back(refund.credit_note, "The refund could not be paid out", now=now)
