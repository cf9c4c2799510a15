"""Making the documents that are due: the row of a paper's state is the queue."""

import hashlib
from datetime import datetime, timedelta

import structlog
from django.db import transaction

from accounts import events
from billing.invoicing import letters
from billing.invoicing.documents import einvoice, layout, printing
from billing.models import Invoice, InvoiceDocument, InvoiceState

log = structlog.get_logger()

LEASE = timedelta(minutes=2)  # longer than a document takes; after a killed worker, another one comes back to it then
SLOWEST_RETRY = timedelta(hours=1)
RUN_SIZE = 200


def make_due(now: datetime) -> int:
    """Make what is due, one after the other. Returns how many."""
    made = 0
    for _ in range(RUN_SIZE):
        state = _claim(now)
        if state is None:
            break
        made += _make(state, now)
    return made


@transaction.atomic
def _claim(now: datetime) -> InvoiceState | None:
    """The next paper without a document, leased. No transaction is open while it is printed."""
    due = InvoiceState.objects.select_for_update(skip_locked=True, no_key=True).filter(document_due_at__lte=now)
    state = due.order_by("document_due_at").first()
    if state:
        state.document_attempts += 1
        state.document_due_at = now + min(LEASE * 2 ** min(state.document_attempts - 1, 9), SLOWEST_RETRY)
        state.save(update_fields=["document_attempts", "document_due_at"])
    return state


def _make(state: InvoiceState, now: datetime) -> bool:
    """A failure is logged, and the paper is tried again later: the others go on."""
    paper = Invoice.objects.select_related("organization", "state", "corrects").get(pk=state.pk)
    try:
        xml = einvoice.xml(paper)
        printed = printing.pdf(layout.of(paper), xml, paper.issued_at)
    except Exception:
        log.exception("document not made", invoice=paper.public_id, attempts=state.document_attempts)
        return False
    return _keep(paper, printed, xml, now)


@transaction.atomic
def _keep(paper: Invoice, printed: printing.Printed, xml: str, now: datetime) -> bool:
    """Store the document and send it. False if another worker was faster."""
    values = {"standard": printed.standard, "xml": xml, "made_at": now}
    digest = hashlib.sha256(printed.pdf).hexdigest()
    document, is_new = InvoiceDocument.objects.get_or_create(
        invoice=paper, defaults={"pdf": printed.pdf, "sha256": digest, **values}
    )
    InvoiceState.objects.filter(pk=paper.pk).update(document_due_at=None)
    if is_new:
        data = {"invoice": paper.public_id, "sha256": digest, "standard": printed.standard}
        events.record(paper.organization_id, "invoice.document_made", data, now, targets=[paper.public_id])
        letters.send(paper, document)
    return is_new
