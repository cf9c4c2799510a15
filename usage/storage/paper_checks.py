"""Checks of papers, their numbers and documents, and of the payments and refunds that they are for.

Each statement selects what is wrong: the organization's id, and a sentence with both sides. Payments of release 0.1.0,
which have no intent, have no invoice either.
"""

from accounts.lib import sql

NUMBERS = """
SELECT i.organization_id, format('%s is %s of %s; the series of %s counts %s papers up to %s', i.number, i.ordinal,
                                 s.last, s.kind, n.papers, n.last)
  FROM (SELECT series_id, count(*) AS papers, max(ordinal) AS last, max(id::text)::uuid AS id
          FROM billing_invoice WHERE series_id IS NOT NULL GROUP BY 1) n
  JOIN billing_invoiceseries s ON s.id = n.series_id
  JOIN billing_invoice i ON i.id = n.id
 WHERE n.papers <> s.last OR n.last <> s.last
"""

SUMS = """
SELECT i.organization_id, format('%s has a net of %s and a tax of %s; its lines add up to %s, its taxes to %s',
                                 i.id, i.subtotal, i.tax, l.total, t.total)
  FROM billing_invoice i
  LEFT JOIN (SELECT invoice_id, sum(amount) AS total FROM billing_invoiceline WHERE NOT is_annex GROUP BY 1) l
    ON l.invoice_id = i.id
 CROSS JOIN LATERAL (SELECT coalesce(sum((part.value ->> 'amount')::numeric), 0) AS total
                       FROM jsonb_array_elements(i.taxes) part) t
 WHERE i.subtotal <> coalesce(l.total, 0) OR i.tax <> t.total
"""

PAYMENTS = """
SELECT p.organization_id, format('payment %s took %s with a tax of %s; its invoice %s says %s with %s, and is %s',
                                 p.id, p.amount, p.tax, i.id, i.subtotal, i.tax, s.status)
  FROM billing_payment p
  LEFT JOIN billing_invoice i ON i.id = p.invoice_id
  LEFT JOIN billing_invoicestate s ON s.invoice_id = i.id
 WHERE p.status = 'succeeded' AND p.intent <> ''
   AND (i.id IS NULL OR s.status <> 'paid' OR i.organization_id <> p.organization_id
        OR p.purpose <> 'invoice' AND (i.subtotal, i.tax) <> (p.amount, p.tax)
        OR p.purpose = 'invoice' AND i.total < p.amount + p.tax)
"""

# What the credit notes of an invoice give back, less those that were taken back.
NOTES = """
SELECT n.corrects_id, sum(n.total - coalesce(b.total, 0)) AS total, sum(n.tax - coalesce(b.tax, 0)) AS tax
  FROM billing_invoice n LEFT JOIN billing_invoice b ON b.corrects_id = n.id
 WHERE n.kind = 'credit_note' GROUP BY 1
"""

CREDITED = sql.compose(
    """
SELECT i.organization_id, format('%s over %s with a tax of %s was credited %s with %s; %s were paid',
                                 i.id, i.total, i.tax, n.total, n.tax, p.total)
  FROM billing_invoice i
  JOIN billing_invoicestate s ON s.invoice_id = i.id
  LEFT JOIN ({notes}) n ON n.corrects_id = i.id
  LEFT JOIN (SELECT invoice_id, sum(amount + tax) AS total FROM billing_payment WHERE status = 'succeeded' GROUP BY 1) p
    ON p.invoice_id = i.id
 WHERE i.kind = 'invoice'
   AND (n.total > i.total OR n.tax > i.tax
        OR s.status = 'paid' AND i.corrects_id IS NULL AND i.total > 0
           AND coalesce(p.total, 0) + coalesce(n.total, 0) < i.total)
""",
    notes=NOTES,
)

# An invoice of which nothing is left needs no further credit note.
BACK = sql.compose(
    """
SELECT p.organization_id, format('%s %s has taken %s; its credit note says %s', back.what, back.id, back.total, n.total)
  FROM (SELECT 'refund' AS what, id, payment_id, credit_note_id, total FROM billing_refund WHERE status = 'succeeded'
         UNION ALL
        SELECT 'dispute', id, payment_id, credit_note_id, NULL FROM billing_dispute
         WHERE status = 'lost' AND withdrawn_total > reinstated_total) back
  JOIN billing_payment p ON p.id = back.payment_id
  JOIN billing_invoice i ON i.id = p.invoice_id
  LEFT JOIN billing_invoice n ON n.id = back.credit_note_id
  LEFT JOIN ({notes}) credited ON credited.corrects_id = i.id
 WHERE n.total > back.total
    OR (n.id IS NULL OR n.total < back.total) AND coalesce(credited.total, 0) < i.total
""",
    notes=NOTES,
)

DOCUMENTS = """
SELECT i.organization_id, format('the document of %s is not what was made: %s', i.id, d.sha256)
  FROM billing_invoicedocument d JOIN billing_invoice i ON i.id = d.invoice_id
 WHERE d.sha256 <> encode(sha256(d.pdf), 'hex')
"""

CHECKS = {
    "the numbers of a series count from 1 without gaps": NUMBERS,
    "a paper is the sum of its lines and taxes": SUMS,
    "each payment that succeeded is on a paid invoice, to the cent": PAYMENTS,
    "no invoice is credited beyond its total and its tax, and none is paid by less": CREDITED,
    "what refunds paid back and disputes have taken for good has its credit note": BACK,
    "each document is as it was made": DOCUMENTS,
}
