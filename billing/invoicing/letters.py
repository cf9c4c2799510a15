"""Emails about papers, to the address of the billing account. A paper goes with its PDF; a reminder with a link."""

import base64

from django.conf import settings

from accounts import emails
from accounts.emails import Attachment
from billing.models import BillingAccount, Invoice, InvoiceDocument, InvoiceState
from billing.templatetags.money import money

Status = InvoiceState.Status

SUBJECTS: dict[tuple[str, str], str] = {
    (Invoice.Kind.INVOICE, Status.PAID): "Receipt {number} from {seller}",
    (Invoice.Kind.INVOICE, Status.OPEN): "Invoice {number} from {seller}",
    (Invoice.Kind.CREDIT_NOTE, Status.ISSUED): "Credit note {number} from {seller}",
    (Invoice.Kind.STATEMENT, Status.ISSUED): "Your statement from {seller}",
}
BODIES: dict[tuple[str, str], str] = {
    (Invoice.Kind.INVOICE, Status.PAID): "Thank you: {total} were paid. Receipt {number} is attached.",
    (
        Invoice.Kind.INVOICE,
        Status.OPEN,
    ): "Invoice {number} over {total} is attached. It is due on {due}.\n\nPay: {link}",
    (Invoice.Kind.CREDIT_NOTE, Status.ISSUED): "Credit note {number} over {total} is attached.",
    (Invoice.Kind.STATEMENT, Status.ISSUED): "The statement of your credits from {start} to {end} is attached.",
}


def send(invoice: Invoice, document: InvoiceDocument) -> None:
    """The paper with its PDF. Of an invoice that was paid or fell due in the meantime, as it stands now."""
    status = Status.OPEN if invoice.state.status in InvoiceState.OWED else invoice.state.status
    name = f"{invoice.number or 'statement'}.pdf"
    pdf = Attachment(name, "application/pdf", base64.b64encode(bytes(document.pdf)).decode())
    subject, body = SUBJECTS[invoice.kind, status], BODIES[invoice.kind, status]
    _queue(invoice, subject, body, pdf)


def past_due(invoice: Invoice) -> None:
    body = (
        "Invoice {number} over {total} could not be charged. Please pay it, or add another card:\n\n{link}\n\n"
        "We try again in the next days. New services have to wait until it is paid."
    )
    _queue(invoice, "Invoice {number} is past due", body)


def suspended(invoice: Invoice) -> None:
    body = (
        "{buyer} is suspended, because invoice {number} over {total} is not paid. Paying ends that at once:\n\n{link}"
    )
    _queue(invoice, "Suspended: invoice {number} is unpaid", body)


def _queue(invoice: Invoice, subject: str, body: str, *attachments: Attachment) -> None:
    account = BillingAccount.objects.of(invoice.organization).get()
    facts = {
        "number": invoice.number,
        "total": money(invoice.total, invoice.currency),
        "seller": invoice.seller["name"],
        "buyer": emails.plain_name(account.name),
        "due": f"{invoice.due_at:%-d %B %Y}" if invoice.due_at else "",
        "start": f"{invoice.period_start:%-d %B %Y}",
        "end": f"{invoice.period_end:%-d %B %Y}",
        "link": f"{settings.BASE_URL}/o/{invoice.organization.public_id}/invoices/{invoice.public_id}/",
    }
    context = {"subject": subject.format(**facts), "body": body.format(**facts)}
    emails.queue("message", to=account.email, context=context, attachments=attachments)
