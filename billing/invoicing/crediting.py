"""A credit note by an operator: what is taken off an invoice comes back as credits.

Money goes back to a card by a refund of its payment, which issues the credit note itself.
"""

from datetime import datetime
from decimal import Decimal

from django.db import transaction
from django.db.models import F

from accounts.lib.problems import Conflict, InvalidField
from accounts.lib.sentences import filled
from billing.invoicing import papers, paying, tax, unpaid
from billing.ledger import corrections, posting
from billing.models import Dispute, Invoice, InvoiceState, Refund


class NotCreditable(Conflict):
    """The amount is more than is left of the invoice, or nothing is left."""

    code = "not_creditable"
    detail = "There is less left of the invoice."


@transaction.atomic
def give(invoice: Invoice, *, reason: str, actor: str, now: datetime, amount: Decimal | None = None) -> Invoice:
    """Issue a credit note over `amount`, tax included, or over all that is left, and post its net amount.

    An open invoice of which nothing is left is paid by it.
    """
    posting.lock([invoice.organization_id], now)
    if invoice.kind != Invoice.Kind.INVOICE:
        raise NotCreditable("Only an invoice is credited.")
    state = invoice.state = InvoiceState.objects.get(pk=invoice.pk)
    left = papers.left(invoice)
    amount = left if amount is None else amount
    if amount != tax.rounded(amount, invoice.currency):
        raise InvalidField("amount", filled("More decimals than %(currency)s has.", currency=invoice.currency))
    if not 0 < amount <= left:
        raise NotCreditable(left=left)
    if payment := unpaid.open_payment(invoice):
        raise paying.BeingPaid(payment=payment.public_id)
    if Refund.objects.filter(payment__invoice=invoice, status=Refund.Status.PENDING).exists():
        raise NotCreditable("A refund of it is under way.")
    taken = Dispute.objects.filter(payment__invoice=invoice, status__in=Dispute.UNDECIDED)
    if taken.filter(withdrawn_total__gt=F("reinstated_total")).exists():
        raise NotCreditable("A bank has taken its money back, and has not decided yet.")
    net = amount - tax.total(tax.credited(invoice, before=invoice.total - left, amount=amount))
    corrections.adjust(invoice.organization_id, amount=net, reason=reason, actor=actor, now=now)
    if state.status in InvoiceState.OWED and amount == left:
        unpaid.settle(invoice, now)
    return papers.credit(invoice, amount, reason, now=now)


@transaction.atomic
def write_off(invoice: Invoice, now: datetime) -> None:
    """An operator gives up on an invoice. The debt stays in the ledger."""
    posting.lock([invoice.organization_id], now)
    invoice.state = InvoiceState.objects.get(pk=invoice.pk)
    if invoice.state.status not in InvoiceState.UNPAID:
        raise paying.NotPayable("Only an invoice that is not paid is given up, and only once.")
    unpaid.write_off(invoice, now)
