"""What postpaid invoices still demand, so that the next one doesn't demand it again."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.lib import sql

# Only an invoice that was issued before it was paid has `due_at`. What paid it counts from its ledger entry on, less
# what was refunded or disputed of it. The reversal of a payment may be the entry of its refunds, too: it counts once.
OWED = """
WITH invoice AS (
    SELECT organization_id AS payer, until, id, subtotal
      FROM unnest(%(payers)s::uuid[], %(untils)s::timestamptz[]) AS payer(id_of_payer, until)
      JOIN billing_invoice ON organization_id = id_of_payer
     WHERE kind = 'invoice' AND due_at IS NOT NULL),
note AS (
    SELECT payer, until, n.id, n.subtotal
      FROM invoice i JOIN billing_invoice n ON n.organization_id = payer AND n.corrects_id = i.id
     WHERE n.issued_at < until),
taken_back AS (
    SELECT payer, b.subtotal
      FROM note JOIN billing_invoice b ON b.organization_id = payer AND b.corrects_id = note.id
     WHERE b.issued_at < until),
payment AS (
    SELECT payer, until, p.id
      FROM invoice i JOIN billing_payment p ON p.organization_id = payer AND p.invoice_id = i.id
     WHERE p.purpose = 'invoice'),
entry AS (
    SELECT payer, until, seq, amount, e.created_at
      FROM payment p
      JOIN billing_ledgerentry e
        ON e.account_id = payer AND e.idempotency_key = 'payment:' || replace(p.id::text, '-', '')
     UNION
    SELECT payer, until, seq, e.amount, e.created_at
      FROM payment p
      JOIN billing_refund r ON r.payment_id = p.id
      JOIN billing_ledgerentry e ON e.account_id = payer AND e.seq = r.entry_seq
     UNION
    SELECT payer, until, seq, e.amount, e.created_at
      FROM payment p
      JOIN billing_dispute d ON d.payment_id = p.id
      JOIN billing_ledgerentry e
        ON e.account_id = payer AND e.idempotency_key LIKE 'dispute:' || replace(d.id::text, '-', '') || ':%'),
paid AS (
    SELECT payer, seq, amount FROM entry WHERE created_at < until
     UNION
    SELECT payer, e.seq, e.amount
      FROM entry JOIN billing_ledgerentry e ON e.account_id = payer AND e.reverses_seq = entry.seq
     WHERE e.created_at < until)
SELECT payer, sum(amount)
  FROM (SELECT payer, subtotal AS amount FROM invoice UNION ALL SELECT payer, -subtotal FROM note
         UNION ALL SELECT payer, subtotal FROM taken_back UNION ALL SELECT payer, -amount FROM paid) owed
 GROUP BY payer
"""


def owed(until: Mapping[UUID, datetime]) -> dict[UUID, Decimal]:
    """By payer, the net amount of its invoices, less what credit notes gave back and what was paid before `until`."""
    if not until:
        return {}
    return dict(sql.rows(OWED, sql.arrays({"payers": until, "untils": until.values()})))
