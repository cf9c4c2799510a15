"""The proof that the books agree: every account's balance, chain, holds, usage and rollups, in plain SQL.

Each check selects what is wrong; an empty answer is the proof. All of them run in one snapshot, so that what is being
posted meanwhile does not show as a difference.
"""

from dataclasses import dataclass

from django.db import connection

from billing import snapshot

CHECKS = {
    "the balance is the sum of the entries": """
        SELECT o.public_id, format('balance %s, entries add up to %s', a.balance, coalesce(e.total, 0))
          FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
          LEFT JOIN (SELECT account_id, sum(amount) AS total FROM billing_ledgerentry GROUP BY 1) e
            ON e.account_id = a.organization_id
         WHERE a.balance <> coalesce(e.total, 0)""",
    "seq counts from 1 without gaps, up to the account's": """
        SELECT o.public_id, format('account at seq %s, %s entries from %s to %s',
                                   a.seq, coalesce(e.n, 0), e.first, e.last)
          FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
          LEFT JOIN (SELECT account_id, count(*) AS n, min(seq) AS first, max(seq) AS last
                       FROM billing_ledgerentry GROUP BY 1) e ON e.account_id = a.organization_id
         WHERE a.seq <> coalesce(e.n, 0) OR a.seq <> coalesce(e.last, 0) OR coalesce(e.first, 1) <> 1""",
    "each balance_after is the one before it plus the amount": """
        SELECT o.public_id, format('entry %s: %s + %s is not %s', c.seq, c.before, c.amount, c.balance_after)
          FROM (SELECT account_id, seq, amount, balance_after,
                       lag(balance_after, 1, 0) OVER (PARTITION BY account_id ORDER BY seq) AS before
                  FROM billing_ledgerentry) c
          JOIN accounts_organization o ON o.id = c.account_id
         WHERE c.before + c.amount <> c.balance_after""",
    "reserved is the sum of the open holds": """
        SELECT o.public_id, format('reserved %s, open holds add up to %s', a.reserved, coalesce(h.total, 0))
          FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
          LEFT JOIN (SELECT account_id, sum(greatest(amount - captured, 0)) AS total
                       FROM billing_hold WHERE status = 'open' GROUP BY 1) h
            ON h.account_id = a.organization_id
         WHERE a.reserved <> coalesce(h.total, 0)""",
    "each usage entry is the sum of the events that name it": """
        SELECT o.public_id, format('entry %s debits %s, its events %s', coalesce(e.seq, u.entry_seq),
                                   -coalesce(e.amount, 0), coalesce(u.total, 0))
          FROM (SELECT account_id, seq, amount FROM billing_ledgerentry WHERE kind = 'usage') e
          FULL JOIN (SELECT account_id, entry_seq, sum(credits) AS total FROM usage_event
                      WHERE credits <> 0 GROUP BY 1, 2) u
            ON u.account_id = e.account_id AND u.entry_seq = e.seq
          JOIN accounts_organization o ON o.id = coalesce(e.account_id, u.account_id)
         WHERE -coalesce(e.amount, 0) <> coalesce(u.total, 0)""",
    "each rollup is the sum of its events": """
        SELECT o.public_id, format('%s: %s requests, %s failed, %s units, %s credits; events %s, %s, %s, %s',
                                   coalesce(r.bucket, e.bucket), r.requests, r.failed, r.quantity, r.credits,
                                   e.requests, e.failed, e.quantity, e.credits)
          FROM usage_usagerollup r
          FULL JOIN (SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z') AS bucket,
                            meter_id, key_id, environment, count(*) AS requests,
                            count(*) FILTER (WHERE failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
                       FROM usage_event GROUP BY 1, 2, 3, 4, 5, 6) e
            ON (e.organization_id, e.account_id, e.bucket, e.meter_id, e.environment)
             = (r.organization_id, r.account_id, r.bucket, r.meter_id, r.environment)
           AND coalesce(e.key_id::text, '') = coalesce(r.key_id::text, '')
          JOIN accounts_organization o ON o.id = coalesce(r.organization_id, e.organization_id)
         WHERE (r.requests, r.failed, r.quantity, r.credits)
            IS DISTINCT FROM (e.requests, e.failed, e.quantity, e.credits)""",
    "each rollup by endpoint is the sum of its events": """
        SELECT o.public_id, format('%s %s: %s requests, %s failed, %s units, %s credits; events %s, %s, %s, %s',
                                   coalesce(r.bucket, e.bucket), coalesce(r.endpoint, e.endpoint), r.requests, r.failed,
                                   r.quantity, r.credits, e.requests, e.failed, e.quantity, e.credits)
          FROM usage_endpointrollup r
          FULL JOIN (SELECT organization_id, account_id, date_bin('15 min', occurred_at, '2000-01-01Z') AS bucket,
                            meter_id, key_id, environment, endpoint, count(*) AS requests,
                            count(*) FILTER (WHERE failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
                       FROM usage_event GROUP BY 1, 2, 3, 4, 5, 6, 7) e
            ON (e.organization_id, e.account_id, e.bucket, e.meter_id, e.environment, e.endpoint)
             = (r.organization_id, r.account_id, r.bucket, r.meter_id, r.environment, r.endpoint)
           AND coalesce(e.key_id::text, '') = coalesce(r.key_id::text, '')
          JOIN accounts_organization o ON o.id = coalesce(r.organization_id, e.organization_id)
         WHERE (r.requests, r.failed, r.quantity, r.credits)
            IS DISTINCT FROM (e.requests, e.failed, e.quantity, e.credits)""",
}


@dataclass(frozen=True)
class Finding:
    """Something that does not agree: the check that it broke, the organization, and the two sides."""

    check: str
    organization: str
    detail: str


def run() -> list[Finding]:
    """Every finding, over all accounts, in one snapshot of the database."""
    findings = []
    with snapshot.consistent(), connection.cursor() as cursor:
        for check, sql in CHECKS.items():
            cursor.execute(sql)
            findings += [Finding(check, organization, detail) for organization, detail in cursor.fetchall()]
    return findings
