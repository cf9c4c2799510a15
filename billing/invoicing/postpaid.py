"""What postpaid invoices still bring in, so that the next one doesn't ask for it again."""

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.lib import sql

# Only an invoice that was issued before it was paid has `due_at`. What paid it counts from its ledger entry on, less
# what was refunded or disputed of it. The reversal of a payment may be the entry of its refunds, too: it counts once.
OWED = """
WITH invoice AS (
    SELECT id, subtotal FROM billing_invoice
     WHERE organization_id = %(payer)s AND kind = 'invoice' AND due_at IS NOT NULL),
note AS (
    SELECT n.id, n.subtotal FROM billing_invoice n JOIN invoice ON invoice.id = n.corrects_id
     WHERE n.organization_id = %(payer)s AND n.issued_at < %(until)s),
taken_back AS (
    SELECT b.subtotal FROM billing_invoice b JOIN note ON note.id = b.corrects_id
     WHERE b.organization_id = %(payer)s AND b.issued_at < %(until)s),
payment AS (
    SELECT p.id FROM billing_payment p JOIN invoice ON invoice.id = p.invoice_id
     WHERE p.organization_id = %(payer)s AND p.purpose = 'invoice'),
entry AS (
    SELECT e.seq, e.amount, e.created_at FROM payment p
      JOIN billing_ledgerentry e
        ON e.account_id = %(payer)s AND e.idempotency_key = 'payment:' || replace(p.id::text, '-', '')
     UNION
    SELECT e.seq, e.amount, e.created_at FROM payment p JOIN billing_refund r ON r.payment_id = p.id
      JOIN billing_ledgerentry e ON e.account_id = %(payer)s AND e.seq = r.entry_seq
     UNION
    SELECT e.seq, e.amount, e.created_at FROM payment p JOIN billing_dispute d ON d.payment_id = p.id
      JOIN billing_ledgerentry e ON e.account_id = %(payer)s
       AND e.idempotency_key LIKE 'dispute:' || replace(d.id::text, '-', '') || ':%%'),
paid AS (
    SELECT seq, amount FROM entry WHERE created_at < %(until)s
     UNION
    SELECT e.seq, e.amount FROM entry
      JOIN billing_ledgerentry e ON e.account_id = %(payer)s AND e.reverses_seq = entry.seq
     WHERE e.created_at < %(until)s)
SELECT (SELECT coalesce(sum(subtotal), 0) FROM invoice) - (SELECT coalesce(sum(subtotal), 0) FROM note)
       + (SELECT coalesce(sum(subtotal), 0) FROM taken_back) - (SELECT coalesce(sum(amount), 0) FROM paid)
"""


def owed(payer: UUID, until: datetime) -> Decimal:
    """The net amount of the payer's invoices, less what credit notes gave back and what was paid before `until`."""
    [(amount,)] = sql.rows(OWED, {"payer": payer, "until": until})
    return Decimal(amount)
