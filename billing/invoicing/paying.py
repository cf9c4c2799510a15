"""Paying an open invoice by hand: its owner chooses a card, or the gateway's checkout page."""

from datetime import datetime
from uuid import UUID

from django.conf import settings
from django.db import transaction

from accounts.lib import identifiers
from accounts.lib.problems import Conflict
from billing import accounts
from billing.exceptions import PaymentReused
from billing.invoicing import tax, unpaid
from billing.ledger import posting
from billing.models import Invoice, InvoiceState, Payment
from billing.payments import methods, minor_units, settling
from billing.payments.purchases import GRACE


class NotPayable(Conflict):
    """There is nothing to pay on it."""

    code = "invoice_not_payable"
    detail = "Only an invoice that is not paid yet can be paid."


class BeingPaid(Conflict):
    """A payment of it is under way."""

    code = "invoice_being_paid"
    detail = "A payment of this invoice is under way. Finish it, or cancel it."


@transaction.atomic
def begin(
    invoice: Invoice,
    *,
    method: str | None,
    by: str,
    now: datetime,
    id: UUID | None = None,
    checkout: bool = False,
    return_url: str = "",
) -> Payment:
    """Commit a pending payment of the invoice, with the named card or the default one, or by a checkout page.

    With an `id` made beforehand, a retry returns the first payment.
    """
    accounts.required(invoice.organization)
    posting.lock([invoice.organization_id], now)
    known = Payment.objects.filter(pk=id).first() if id else None
    if known:
        if known.invoice_id != invoice.pk:
            raise PaymentReused
        return known
    check_payable(invoice)
    card = None if checkout else methods.choose(invoice.organization, method, now)
    return unpaid.begin_payment(
        invoice,
        card,
        now,
        by=by,
        gateway=card.gateway if card else settings.PAYMENT_GATEWAY,
        pk=id or identifiers.uuid7(),
        next_attempt_at=now + GRACE,
        expires_at=now + settling.ACTION_LIFE if checkout else None,
        next_action_url=return_url,
    )


def check_payable(invoice: Invoice) -> None:
    """Under the payer's lock."""
    if InvoiceState.objects.get(pk=invoice.pk).status not in InvoiceState.OWED:
        raise NotPayable
    payment = unpaid.open_payment(invoice)
    if payment:
        raise BeingPaid(payment=payment.public_id, next_action_url=payment.action_url)
    net, taxes = unpaid.remainder(invoice)
    try:
        minor_units.charge(net + tax.total(taxes), invoice.currency)
    except minor_units.NotChargeable as error:
        raise NotPayable(str(error)) from error
