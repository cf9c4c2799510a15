"""Collecting unpaid invoices: charges on a schedule, then a suspension, and finally we give up.

The schedule counts days from `due_at`. A step is written before it is taken, so that a killed worker doesn't take it
again; the charge is a payment, which its own sweep completes.
"""

from datetime import UTC, datetime, time, timedelta
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Coalesce

from accounts.lib import timezones
from billing import clock
from billing.invoicing import paying, unpaid
from billing.ledger import posting
from billing.models import Invoice, InvoiceState, Payment, PaymentMethod
from billing.payments import payments, purchases

log = structlog.get_logger()

CHARGES = (0, 1, 3, 5, 7)  # days after the invoice is due; each but the first at 10:00 in the payer's zone
SUSPENSION, END = unpaid.SUSPENDED_AFTER.days, 60
SCHEDULE = (*CHARGES, SUSPENSION, END)
HOUR = time(10)
SWEEP_SIZE = 100


def sweep(now: datetime) -> int:
    """Take the steps that are due at that time, or by a payer's own clock. Returns how many."""
    ahead = Coalesce("invoice__organization__clock_ahead", Value(clock.NOT_MOVED))
    states = InvoiceState.objects.filter(status__in=InvoiceState.UNPAID, next_attempt_at__lte=Value(now) + ahead)
    due = states.select_related("invoice__organization").order_by("?")
    return sum(_is_done(state, clock.at(state.invoice.organization, now)) for state in due[:SWEEP_SIZE])


def _is_done(state: InvoiceState, now: datetime) -> bool:
    """A failure is logged, so that the sweep goes on with the next one."""
    try:
        advance(state.pk, now)
    except Exception:
        log.exception("dunning failed", invoice=state.invoice.public_id)
        return False
    return True


def advance(invoice_id: UUID, now: datetime) -> None:
    """Take the step of an invoice that is due, if one is."""
    payment = _step(invoice_id, now)
    if payment:
        payments.complete(payment.pk)


@transaction.atomic
def _step(invoice_id: UUID, now: datetime) -> Payment | None:
    """Take one step under the payer's lock. Returns the payment of a charge."""
    invoice = Invoice.objects.select_related("organization").get(pk=invoice_id)
    posting.lock([invoice.organization_id], now)
    state = InvoiceState.objects.get(pk=invoice_id)
    if state.status not in InvoiceState.UNPAID or state.next_attempt_at is None or state.next_attempt_at > now:
        return None
    invoice.state, day = state, SCHEDULE[state.step]
    if unpaid.open_payment(invoice):  # Wait for its end.
        state.next_attempt_at = now + timedelta(hours=1)
        state.save(update_fields=["next_attempt_at"])
        return None
    state.step += 1
    state.next_attempt_at = _moment(invoice, state.step, now)
    state.save(update_fields=["step", "next_attempt_at"])
    if day == END:
        unpaid.write_off(invoice, now)
    elif day == SUSPENSION:
        unpaid.suspend(invoice, now)
    else:
        return _charge(invoice, now)
    return None


def _moment(invoice: Invoice, step: int, now: datetime) -> datetime | None:
    """When a step is due. After an outage there is still a day between two steps."""
    if step == len(SCHEDULE):
        return None
    assert invoice.due_at is not None
    zone = timezones.zone(invoice.organization.timezone)
    day = invoice.due_at.astimezone(zone).date() + timedelta(days=SCHEDULE[step])
    moment = datetime.combine(day, HOUR, zone).astimezone(UTC)
    return moment if moment > now else now + timedelta(days=1)


def _charge(invoice: Invoice, now: datetime) -> Payment | None:
    """Begin a charge of the default card, or of the backup. Without one, the invoice waits for a new card."""
    try:
        paying.check_payable(invoice)
    except paying.NotPayable:  # less than the smallest charge: nobody is chased for it
        invoice.state.next_attempt_at = None
        invoice.state.save(update_fields=["next_attempt_at"])
        return None
    cards = PaymentMethod.objects.chargeable(invoice.organization, Payment.Purpose.INVOICE, now.date())
    card = None if invoice.state.needs_card or not cards else cards[0]
    if card is None:
        unpaid.declined(invoice, now, hard=True)
        return None
    return unpaid.begin_payment(
        invoice, card, now, by=unpaid.DUNNING, gateway=card.gateway, next_attempt_at=now + purchases.GRACE
    )
