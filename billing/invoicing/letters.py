"""Emails about papers, to the address of the billing account. A paper goes with its PDF; a reminder with a link."""

import base64
from functools import partial

from django.conf import settings
from django.utils.translation import gettext_noop

from accounts import emails
from accounts.emails import Attachment
from billing.models import BillingAccount, Invoice, InvoiceDocument, InvoiceState
from billing.templatetags.money import money

Status = InvoiceState.Status

SUBJECTS: dict[tuple[str, str], str] = {
    (Invoice.Kind.INVOICE, Status.PAID): gettext_noop("Receipt %(number)s from %(seller)s"),
    (Invoice.Kind.INVOICE, Status.OPEN): gettext_noop("Invoice %(number)s from %(seller)s"),
    (Invoice.Kind.CREDIT_NOTE, Status.ISSUED): gettext_noop("Credit note %(number)s from %(seller)s"),
    (Invoice.Kind.STATEMENT, Status.ISSUED): gettext_noop("Your statement from %(seller)s"),
}
BODIES: dict[tuple[str, str], str] = {
    (Invoice.Kind.INVOICE, Status.PAID): gettext_noop(
        "Thank you: %(total)s were paid. Receipt %(number)s is attached."
    ),
    (
        Invoice.Kind.INVOICE,
        Status.OPEN,
    ): gettext_noop("Invoice %(number)s over %(total)s is attached. It is due on %(due)s."),
    (Invoice.Kind.CREDIT_NOTE, Status.ISSUED): gettext_noop("Credit note %(number)s over %(total)s is attached."),
    (Invoice.Kind.STATEMENT, Status.ISSUED): gettext_noop(
        "The statement of your credits from %(start)s to %(end)s is attached."
    ),
}


def send(invoice: Invoice, document: InvoiceDocument) -> None:
    """The paper with its PDF. Of an invoice that was paid or fell due in the meantime, as it stands now."""
    status = Status.OPEN if invoice.state.status in InvoiceState.OWED else invoice.state.status
    name = f"{invoice.number or 'statement'}.pdf"
    pdf = Attachment(name, "application/pdf", base64.b64encode(bytes(document.pdf)).decode())
    subject, body = SUBJECTS[invoice.kind, status], BODIES[invoice.kind, status]
    _queue(invoice, subject, body, pdf)


def past_due(invoice: Invoice) -> None:
    body = gettext_noop(
        "Invoice %(number)s over %(total)s could not be charged. Please pay it, or add another card. "
        "We try again in the next days. New services have to wait until it is paid."
    )
    _queue(invoice, gettext_noop("Invoice %(number)s is past due"), body)


def suspended(invoice: Invoice) -> None:
    body = gettext_noop(
        "%(buyer)s is suspended, because invoice %(number)s over %(total)s is not paid. Paying ends that at once:"
    )
    _queue(invoice, gettext_noop("Suspended: invoice %(number)s is unpaid"), body)


def _queue(invoice: Invoice, subject: str, body: str, *attachments: Attachment) -> None:
    account = BillingAccount.objects.of(invoice.organization).get()
    facts = {
        "number": invoice.number,
        "total": partial(money, invoice.total, invoice.currency),
        "seller": invoice.seller["name"],
        "buyer": emails.plain_name(account.name),
        "due": invoice.due_at.date() if invoice.due_at else "",
        "start": invoice.period_start.date(),
        "end": invoice.period_end.date(),
    }
    page = f"{settings.BASE_URL}/o/{invoice.organization.public_id}/invoices/{invoice.public_id}/"
    emails.write(
        subject, body, page, to=account.email, facts=facts, attachments=attachments, organization=invoice.organization
    )
