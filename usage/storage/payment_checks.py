"""Checks of payments, refunds, disputes and auto-recharge, and of the entries that they posted.

Each statement selects what is wrong: the organization's id, and a sentence with both sides.
"""

PURCHASES = """
SELECT coalesce(p.organization_id, e.account_id),
       format('payment %s is %s with %s credits; its entry has %s', p.id, p.status, p.amount, e.amount)
  FROM (SELECT *, 'payment:' || replace(id::text, '-', '') AS key FROM billing_payment) p
  FULL JOIN (SELECT account_id, idempotency_key AS key, amount FROM billing_ledgerentry
              WHERE kind = 'purchase' AND idempotency_key ~ '^payment:[0-9a-f]{32}$') e
    ON e.account_id = p.organization_id AND e.key = p.key
 WHERE p.id IS NULL OR (p.status = 'succeeded') <> (e.amount IS NOT NULL) OR e.amount <> p.amount
"""

# If an operator had reversed the purchase before, that reversal took the credits.
REFUNDS = """
SELECT coalesce(r.organization_id, e.account_id),
       format('refund %s is %s with %s credits; entry %s has %s, reversed by %s',
              r.id, r.status, r.amount, e.seq, e.amount, back.seq)
  FROM (SELECT r.*, p.organization_id FROM billing_refund r JOIN billing_payment p ON p.id = r.payment_id) r
  FULL JOIN (SELECT account_id, seq, amount FROM billing_ledgerentry
              WHERE kind = 'refund' AND reference ~ '^pay_') e
    ON e.account_id = r.organization_id AND e.seq = r.entry_seq
  LEFT JOIN billing_ledgerentry back ON back.account_id = e.account_id AND back.reverses_seq = e.seq
 WHERE NOT EXISTS (SELECT FROM billing_ledgerentry bought JOIN billing_ledgerentry v
                      ON v.account_id = bought.account_id AND v.reverses_seq = bought.seq
                   WHERE v.account_id = r.organization_id AND v.seq = r.entry_seq
                     AND bought.idempotency_key = 'payment:' || replace(r.payment_id::text, '-', ''))
   AND (r.id IS NULL OR e.seq IS NULL OR e.amount <> -r.amount OR r.status = 'failed' AND back.seq IS NULL)
"""

# What an operator reverses is not taken by a refund or a dispute, too.
TAKEN = """
SELECT v.account_id, format('entry %s reverses payment %s; all entries of the payment add up to %s', v.seq, e.reference,
                            s.amount)
  FROM billing_ledgerentry v
  JOIN billing_ledgerentry e ON e.account_id = v.account_id AND e.seq = v.reverses_seq
 CROSS JOIN LATERAL (SELECT sum(amount) AS amount FROM billing_ledgerentry
                      WHERE account_id = v.account_id AND reference = e.reference) s
 WHERE e.kind = 'purchase' AND e.reference ~ '^pay_' AND s.amount <> 0
"""

DISPUTES = """
SELECT coalesce(d.organization_id, e.account_id),
       format('dispute %s took %s and returned %s; its entries took %s and returned %s, and operators %s',
              d.id, d.withdrawn, d.reinstated, -e.taken, e.returned, o.returned)
  FROM (SELECT d.*, p.organization_id, 'dispute:' || replace(d.id::text, '-', '') AS key
          FROM billing_dispute d JOIN billing_payment p ON p.id = d.payment_id) d
  FULL JOIN (SELECT account_id, left(idempotency_key, 40) AS key,
                    coalesce(sum(amount) FILTER (WHERE kind = 'chargeback'), 0) AS taken,
                    coalesce(sum(amount) FILTER (WHERE kind = 'reversal'), 0) AS returned
               FROM billing_ledgerentry WHERE idempotency_key ~ '^dispute:[0-9a-f]{32}:' GROUP BY 1, 2) e
    ON e.account_id = d.organization_id AND e.key = d.key
  LEFT JOIN (SELECT c.account_id, left(c.idempotency_key, 40) AS key, sum(v.amount) AS returned
               FROM billing_ledgerentry v
               JOIN billing_ledgerentry c ON c.account_id = v.account_id AND c.seq = v.reverses_seq
              WHERE c.idempotency_key ~ '^dispute:[0-9a-f]{32}:' AND v.idempotency_key IS NULL GROUP BY 1, 2) o
    ON o.account_id = d.organization_id AND o.key = d.key
 WHERE d.id IS NULL OR d.withdrawn <> -coalesce(e.taken, 0)
    OR d.reinstated NOT BETWEEN coalesce(e.returned, 0) AND coalesce(e.returned, 0) + coalesce(o.returned, 0)
    OR coalesce(e.returned, 0) + coalesce(o.returned, 0) > d.withdrawn
"""

# The money that went back by refunds is never more than what was paid. Disputes may take more.
SUMS = """
SELECT p.organization_id,
       format('payment %s of %s has refunded %s and disputed %s; its refunds are %s (%s paid back), its disputes %s',
              p.id, p.amount, p.refunded, p.disputed, r.credits, r.money, d.credits)
  FROM billing_payment p
  LEFT JOIN (SELECT payment_id, sum(amount) AS credits, sum(total) AS money FROM billing_refund
              WHERE status <> 'failed' GROUP BY 1) r ON r.payment_id = p.id
  LEFT JOIN (SELECT payment_id, sum(withdrawn - reinstated) AS credits FROM billing_dispute GROUP BY 1) d
    ON d.payment_id = p.id
 WHERE p.refunded <> coalesce(r.credits, 0) OR p.disputed <> coalesce(d.credits, 0) OR r.money > p.amount + p.tax
    OR p.status <> 'succeeded' AND (r.credits IS NOT NULL OR d.credits IS NOT NULL)
"""

REPLACEMENTS = """
SELECT p.organization_id, format('payment %s of %s replaces %s, which is %s with %s', p.id, p.amount, o.id, o.status,
                                 o.amount)
  FROM billing_payment p JOIN billing_payment o ON o.id = p.replaces_id
 WHERE o.organization_id <> p.organization_id OR o.amount <> p.amount OR o.tax <> p.tax OR o.currency <> p.currency
    OR o.purpose <> p.purpose OR o.replaces_id IS NOT NULL OR o.status NOT IN ('failed', 'succeeded')
"""

WOKEN = """
SELECT a.organization_id, format('woken below %s; the threshold is %s', a.recharge_below,
                                 CASE WHEN r.enabled THEN r.threshold END)
  FROM billing_ledgeraccount a LEFT JOIN billing_autorecharge r ON r.organization_id = a.organization_id
 WHERE a.recharge_below IS DISTINCT FROM CASE WHEN r.enabled THEN r.threshold END
"""

CHECKS = {
    "each payment that succeeded has its purchase, and no other has one": PURCHASES,
    "each refund has its entry, which is reversed if it failed": REFUNDS,
    "the credits of a purchase that was reversed were taken once": TAKEN,
    "each dispute took and returned what its entries say": DISPUTES,
    "what was refunded and disputed of a payment is what its refunds and disputes say": SUMS,
    "a payment that replaces another is the same charge": REPLACEMENTS,
    "auto-recharge is woken below its threshold": WOKEN,
}
