"""Checks of accounts, entries, holds and lots.

Each statement selects what is wrong: the organization's id, and a sentence with both sides.
"""

BALANCE = """
SELECT a.organization_id, format('balance %s, entries add up to %s', a.balance, coalesce(e.total, 0))
  FROM billing_ledgeraccount a
  LEFT JOIN (SELECT account_id, sum(amount) AS total FROM billing_ledgerentry GROUP BY 1) e
    ON e.account_id = a.organization_id
 WHERE a.balance <> coalesce(e.total, 0)
"""

SEQ = """
SELECT a.organization_id,
       format('account at seq %s, %s entries from %s to %s', a.seq, coalesce(e.n, 0), e.first, e.last)
  FROM billing_ledgeraccount a
  LEFT JOIN (SELECT account_id, count(*) AS n, min(seq) AS first, max(seq) AS last
               FROM billing_ledgerentry GROUP BY 1) e
    ON e.account_id = a.organization_id
 WHERE a.seq <> coalesce(e.n, 0) OR a.seq <> coalesce(e.last, 0) OR coalesce(e.first, 1) <> 1
"""

CHAIN = """
SELECT account_id, format('entry %s: %s + %s is not %s', seq, before, amount, balance_after)
  FROM (SELECT account_id, seq, amount, balance_after,
               lag(balance_after, 1, 0) OVER (PARTITION BY account_id ORDER BY seq) AS before
          FROM billing_ledgerentry) chained
 WHERE before + amount <> balance_after
"""

ORDER = """
SELECT account_id, format('entry %s was made at %s, the one before it at %s', seq, created_at, before)
  FROM (SELECT account_id, seq, created_at, lag(created_at) OVER (PARTITION BY account_id ORDER BY seq) AS before
          FROM billing_ledgerentry) ordered
 WHERE created_at < before
"""

RESERVED = """
SELECT a.organization_id, format('reserved %s, open holds add up to %s', a.reserved, coalesce(h.total, 0))
  FROM billing_ledgeraccount a
  LEFT JOIN (SELECT account_id, sum(greatest(amount - captured, 0)) AS total
               FROM billing_hold WHERE status = 'open' GROUP BY 1) h
    ON h.account_id = a.organization_id
 WHERE a.reserved <> coalesce(h.total, 0)
"""

# A lease is captured by usage entries, a plain hold by one entry of its own or by the usage of one batch.
HOLDS = """
SELECT coalesce(h.account_id, c.account_id), format('hold %s is %s, captured %s; entry %s captures %s',
                                                    h.id, h.status, h.captured, coalesce(h.entry_seq, c.seq), -c.amount)
  FROM billing_hold h
  FULL JOIN (SELECT account_id, seq, amount FROM billing_ledgerentry WHERE kind = 'capture') c
    ON c.account_id = h.account_id AND c.seq = h.entry_seq
 WHERE h.id IS NULL OR (h.entry_seq IS NULL) <> (c.seq IS NULL)
    OR (h.resolved_at IS NULL) <> (h.status IN ('open', 'expired'))
    OR (h.entry_seq IS NOT NULL OR h.captured > 0 AND h.purpose = 'hold') AND h.status <> 'captured'
    OR -c.amount > h.captured OR -c.amount < h.captured AND h.purpose = 'hold'
"""

# An account that is not up to date may have lots with more than its balance, never with less.
LOTS = """
SELECT a.organization_id, format('balance %s; lots add up to %s, %s of them out of bounds',
                                 a.balance, coalesce(g.total, 0), coalesce(g.wrong, 0))
  FROM billing_ledgeraccount a
  LEFT JOIN (SELECT account_id, sum(remaining) AS total,
                    count(*) FILTER (WHERE remaining NOT BETWEEN 0 AND amount) AS wrong
               FROM billing_grant GROUP BY 1) g
    ON g.account_id = a.organization_id
 WHERE coalesce(g.total, 0) < a.balance OR g.wrong > 0
"""

BROUGHT = """
SELECT coalesce(e.account_id, g.account_id),
       format('entry %s brought %s, its lot %s', coalesce(e.seq, g.entry_seq), e.amount, g.amount)
  FROM (SELECT account_id, seq, amount FROM billing_ledgerentry WHERE amount > 0) e
  FULL JOIN billing_grant g ON g.account_id = e.account_id AND g.entry_seq = e.seq
 WHERE e.amount IS DISTINCT FROM g.amount
"""

DUE = """
SELECT d.account_id, format('due at %s, but something is at %s', a.due_at, d.first)
  FROM (SELECT account_id, min(expires_at) AS first
          FROM (SELECT account_id, expires_at FROM billing_hold WHERE status = 'open'
                 UNION ALL
                SELECT account_id, expires_at FROM billing_grant WHERE remaining > 0) open
         GROUP BY 1) d
  JOIN billing_ledgeraccount a ON a.organization_id = d.account_id
 WHERE d.first < coalesce(a.due_at, 'infinity')
"""

CHECKS = {
    "the balance is the sum of the entries": BALANCE,
    "seq counts from 1 without gaps, up to the account's": SEQ,
    "each balance_after is the one before it plus the amount": CHAIN,
    "no entry is older than the one before it": ORDER,
    "reserved is what the open holds may still take": RESERVED,
    "each hold is resolved once, and its capture is its entry": HOLDS,
    "the lots hold the balance, and none more than it brought": LOTS,
    "each entry that raised the balance has its lot": BROUGHT,
    "due_at is no later than what falls due": DUE,
}
