"""An unpaid invoice: what is left to pay, and what happens when it is charged, paid, declined or overdue.

Everything here happens under the payer's lock.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from accounts import tree
from accounts.lib import broker
from billing.invoicing import letters, papers, tax
from billing.invoicing.tax import Tax
from billing.models import Invoice, InvoiceState, Payment, PaymentMethod
from billing.payments import payment_events

Status = InvoiceState.Status
DUNNING = "dunning"  # `created_by` of the payments that we begin by ourselves
SUSPENDED_AFTER = timedelta(days=14)
CHARGE = "billing.tasks.settle_pending_payments"


def remainder(invoice: Invoice) -> tuple[Decimal, list[Tax]]:
    """The net amount that is left to pay, and its taxes: all of it, less what credit notes gave back."""
    before = papers.credited(invoice)
    left = invoice.total - before
    taxes = tax.credited(invoice, before=before, amount=left)
    return left - tax.total(taxes), taxes


def begin_payment(
    invoice: Invoice, card: PaymentMethod | None, now: datetime, *, by: str, gateway: str, **fields: Any
) -> Payment:
    """A pending payment of what is left. A unique index refuses a second one while it is open."""
    net, taxes = remainder(invoice)
    payment = Payment.objects.create(
        organization=invoice.organization,
        purpose=Payment.Purpose.INVOICE,
        invoice=invoice,
        method=card,
        gateway=gateway,
        amount=net,
        tax=tax.total(taxes),
        taxes=[each.as_json() for each in taxes],
        currency=invoice.currency,
        created_by=by,
        created_at=Payment.objects.next_moment(invoice.organization, now),
        **fields,
    )
    payment_events.record(payment, "payment.created", now)
    return payment


def settle(invoice: Invoice, now: datetime) -> None:
    """Nothing is left to pay."""
    state = invoice.state
    state.status, state.paid_at, state.next_attempt_at, state.needs_card = Status.PAID, now, None, False
    state.save(update_fields=["status", "paid_at", "next_attempt_at", "needs_card"])
    papers.tell(invoice, "invoice.paid", now)
    overdue = InvoiceState.objects.filter(
        invoice__organization=invoice.organization,
        invoice__due_at__lte=now - SUSPENDED_AFTER,
        status__in=InvoiceState.OWED,
    )
    if not overdue.exists():
        tree.resume_paid(invoice.organization, now)


def declined(invoice: Invoice, now: datetime, *, hard: bool) -> None:
    """Dunning could not charge it. `hard`: that card is not charged again. Without another, it waits for one."""
    state = invoice.state
    left = PaymentMethod.objects.chargeable(invoice.organization, Payment.Purpose.INVOICE, now.date())
    state.needs_card = state.needs_card or (hard and not left)
    is_first = state.status == Status.OPEN
    if is_first:
        state.status = Status.PAST_DUE
    state.save(update_fields=["needs_card", "status"])
    if is_first:
        papers.tell(invoice, "invoice.past_due", now)
        letters.past_due(invoice)


def charge_new_card(card: PaymentMethod, now: datetime) -> None:
    """Another card is there: charge what waits for one, at once."""
    waiting = InvoiceState.objects.filter(
        invoice__organization=card.organization, needs_card=True, status__in=InvoiceState.UNPAID
    )
    for state in waiting.select_related("invoice__organization"):
        state.needs_card = False
        state.save(update_fields=["needs_card"])
        if open_payment(state.invoice) is None:
            begin_payment(state.invoice, card, now, by=DUNNING, gateway=card.gateway, next_attempt_at=now)
            broker.nudge(CHARGE)


def open_payment(invoice: Invoice) -> Payment | None:
    return Payment.objects.filter(invoice=invoice, status__in=Payment.OPEN).first()


def suspend(invoice: Invoice, now: datetime) -> None:
    tree.suspend_unpaid(invoice.organization, invoice.number, now)
    letters.suspended(invoice)


def write_off(invoice: Invoice, now: datetime) -> None:
    """Stop collecting it. The debt stays in the ledger, and a suspension stays too."""
    state = invoice.state
    state.status, state.next_attempt_at = Status.UNCOLLECTIBLE, None
    state.save(update_fields=["status", "next_attempt_at"])
    papers.tell(invoice, "invoice.uncollectible", now)
