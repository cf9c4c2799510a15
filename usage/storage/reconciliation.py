"""The proof that the books agree: each account's balance, chain, lots, holds, budgets, usage and rollups, in plain SQL.

Each check selects what is wrong; an empty answer is the proof. All of them run in one snapshot, so that what is being
posted meanwhile does not show as a difference. What was retired is no more proved by its events: the rollups of that
time have at least what is left of them.
"""

from dataclasses import dataclass

from django.db import connection

from accounts.lib import quarters, snapshot

# The end of the last retired month: events that occurred before it may be missing.
HORIZON = """(SELECT coalesce((max(month) + interval '1 month') AT TIME ZONE 'UTC', '-infinity')
                FROM usage_retiredpartition)"""
RETIRED = """(SELECT month FROM usage_retiredpartition)"""

# A row of a rollup against its events that were not voided; a row of nothing is as good as none.
ROLLUP = """
        SELECT o.public_id, format('%s %s: %s requests, %s failed, %s units, %s credits; events %s, %s, %s, %s',
                                   coalesce(r.bucket, e.bucket), coalesce(r.endpoint, e.endpoint), r.requests, r.failed,
                                   r.quantity, r.credits, e.requests, e.failed, e.quantity, e.credits)
          FROM (SELECT organization_id, account_id, bucket, meter_id, key_id, environment, {endpoint} AS endpoint,
                       requests, failed, quantity, credits
                  FROM {rollup} WHERE (requests, failed, quantity, credits) <> (0, 0, 0, 0)) r
          FULL JOIN (SELECT organization_id, account_id, {bucket} AS bucket,
                            meter_id, key_id, environment, {endpoint} AS endpoint, count(*) AS requests,
                            count(*) FILTER (WHERE failed) AS failed, sum(quantity) AS quantity, sum(credits) AS credits
                       FROM usage_event e
                      WHERE NOT EXISTS (SELECT FROM usage_eventvoid v
                                         WHERE (v.account_id, v.organization_id, v.event_id, v.recorded_at)
                                             = (e.account_id, e.organization_id, e.id, e.recorded_at))
                      GROUP BY 1, 2, 3, 4, 5, 6, 7) e
            ON (e.organization_id, e.account_id, e.bucket, e.meter_id, e.environment, e.endpoint)
             = (r.organization_id, r.account_id, r.bucket, r.meter_id, r.environment, r.endpoint)
           AND coalesce(e.key_id::text, '') = coalesce(r.key_id::text, '')
          JOIN accounts_organization o ON o.id = coalesce(r.organization_id, e.organization_id)
         WHERE (r.requests, r.failed, r.quantity, r.credits)
            IS DISTINCT FROM (e.requests, e.failed, e.quantity, e.credits)
           AND (coalesce(r.bucket, e.bucket) >= {horizon} OR r.requests IS NULL OR r.requests < e.requests
                OR r.failed < e.failed OR r.quantity < e.quantity OR r.credits < e.credits)"""

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
    "reserved is what the open holds may still take": """
        SELECT o.public_id, format('reserved %s, open holds add up to %s', a.reserved, coalesce(h.total, 0))
          FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
          LEFT JOIN (SELECT account_id, sum(greatest(amount - captured, 0)) AS total
                       FROM billing_hold WHERE status = 'open' GROUP BY 1) h
            ON h.account_id = a.organization_id
         WHERE a.reserved <> coalesce(h.total, 0)""",
    "each hold is resolved once, and its capture is its entry": """
        SELECT o.public_id, format('hold %s is %s, captured %s; entry %s captures %s',
                                   h.id, h.status, h.captured, coalesce(h.entry_seq, c.seq), -c.amount)
          FROM billing_hold h
          FULL JOIN (SELECT account_id, seq, amount FROM billing_ledgerentry WHERE kind = 'capture') c
            ON c.account_id = h.account_id AND c.seq = h.entry_seq
          JOIN accounts_organization o ON o.id = coalesce(h.account_id, c.account_id)
         WHERE h.id IS NULL OR (h.entry_seq IS NULL) <> (c.seq IS NULL)
            OR (h.resolved_at IS NULL) <> (h.status IN ('open', 'expired'))
            OR (h.entry_seq IS NOT NULL OR h.captured > 0 AND h.purpose = 'hold') AND h.status <> 'captured'
            OR -c.amount > h.captured OR -c.amount < h.captured AND h.purpose = 'hold'""",
    "the lots hold the balance, and none more than it brought": """
        SELECT o.public_id, format('balance %s; lots add up to %s, %s of them out of bounds',
                                   a.balance, coalesce(g.total, 0), coalesce(g.wrong, 0))
          FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
          LEFT JOIN (SELECT account_id, sum(remaining) AS total,
                            count(*) FILTER (WHERE remaining NOT BETWEEN 0 AND amount) AS wrong
                       FROM billing_grant GROUP BY 1) g ON g.account_id = a.organization_id
         WHERE coalesce(g.total, 0) < a.balance OR g.wrong > 0""",
    "each entry that raised the balance has its lot": """
        SELECT o.public_id, format('entry %s brought %s, its lot %s', coalesce(e.seq, g.entry_seq), e.amount, g.amount)
          FROM (SELECT account_id, seq, amount FROM billing_ledgerentry WHERE amount > 0) e
          FULL JOIN billing_grant g ON g.account_id = e.account_id AND g.entry_seq = e.seq
          JOIN accounts_organization o ON o.id = coalesce(e.account_id, g.account_id)
         WHERE e.amount IS DISTINCT FROM g.amount""",
    "due_at is no later than what falls due": """
        SELECT o.public_id, format('due at %s, but something is at %s', a.due_at, d.first)
          FROM (SELECT account_id, min(expires_at) AS first
                  FROM (SELECT account_id, expires_at FROM billing_hold WHERE status = 'open'
                         UNION ALL
                        SELECT account_id, expires_at FROM billing_grant WHERE remaining > 0) each
                 GROUP BY 1) d
          JOIN billing_ledgeraccount a ON a.organization_id = d.account_id
          JOIN accounts_organization o ON o.id = d.account_id
         WHERE d.first < coalesce(a.due_at, 'infinity')""",
    "each usage entry is the sum of the events that name it": f"""
        SELECT o.public_id, format('entry %s debits %s, its events %s', coalesce(e.seq, u.entry_seq),
                                   -coalesce(e.amount, 0), coalesce(u.total, 0))
          FROM (SELECT account_id, seq, amount, created_at FROM billing_ledgerentry WHERE kind = 'usage') e
          FULL JOIN (SELECT account_id, entry_seq, sum(credits) AS total, min(recorded_at) AS recorded_at
                       FROM usage_event WHERE credits <> 0 GROUP BY 1, 2) u
            ON u.account_id = e.account_id AND u.entry_seq = e.seq
          JOIN accounts_organization o ON o.id = coalesce(e.account_id, u.account_id)
         WHERE -coalesce(e.amount, 0) <> coalesce(u.total, 0)
           AND date_trunc('month', coalesce(e.created_at, u.recorded_at) AT TIME ZONE 'UTC') NOT IN {RETIRED}""",  # noqa: S608
    "each void's adjustment is what its event was charged": f"""
        SELECT o.public_id, format('event %s was charged %s, its void gave back %s', coalesce(v.event_id, a.event_id),
                                   e.credits, a.amount)
          FROM usage_eventvoid v
          FULL JOIN (SELECT account_id, seq, amount, metadata ->> 'voided_event' AS event_id FROM billing_ledgerentry
                      WHERE kind = 'adjustment' AND metadata ->> 'voided_event' IS NOT NULL) a
            ON a.account_id = v.account_id AND a.seq = v.entry_seq AND a.event_id = v.event_id
          LEFT JOIN usage_event e
            ON (e.account_id, e.organization_id, e.id, e.recorded_at)
             = (v.account_id, v.organization_id, v.event_id, v.recorded_at)
          JOIN accounts_organization o ON o.id = coalesce(v.organization_id, a.account_id)
         WHERE v.event_id IS NULL OR (v.entry_seq IS NULL) <> (a.seq IS NULL) OR e.credits <> coalesce(a.amount, 0)
            OR e.id IS NULL AND date_trunc('month', v.recorded_at AT TIME ZONE 'UTC') NOT IN {RETIRED}""",  # noqa: S608
    "each rollup is the sum of its events": ROLLUP.format(
        rollup="usage_usagerollup", endpoint="''", horizon=HORIZON, bucket=quarters.sql_floor("occurred_at")
    ),
    "each rollup by endpoint is the sum of its events": ROLLUP.format(
        rollup="usage_endpointrollup", endpoint="endpoint", horizon=HORIZON, bucket=quarters.sql_floor("occurred_at")
    ),
    "the rollups by endpoint add up to the others where events are retired": f"""
        SELECT o.public_id, format('%s: by endpoint %s requests, %s failed, %s units, %s credits more', bucket,
                                   sum(requests), sum(failed), sum(quantity), sum(credits))
          FROM (SELECT organization_id, bucket, meter_id, key_id, requests, failed, quantity, credits
                  FROM usage_endpointrollup
                 UNION ALL
                SELECT organization_id, bucket, meter_id, key_id, -requests, -failed, -quantity, -credits
                  FROM usage_usagerollup) each
          JOIN accounts_organization o ON o.id = organization_id
         WHERE bucket < {HORIZON} GROUP BY o.public_id, bucket, meter_id, key_id
        HAVING (sum(requests), sum(failed), sum(quantity), sum(credits)) <> (0, 0, 0, 0)""",  # noqa: S608
    "each volume is the sum of its rollups": """
        SELECT o.public_id, format('meter %s: %s requests, %s units; rollups %s, %s', coalesce(v.meter_id, r.meter_id),
                                   v.requests, v.quantity, r.requests, r.quantity)
          FROM (SELECT account_id, meter_id, sum(requests) AS requests, sum(quantity) AS quantity
                  FROM usage_volume GROUP BY 1, 2) v
          FULL JOIN (SELECT account_id, meter_id, sum(requests) AS requests, sum(quantity) AS quantity
                       FROM usage_usagerollup WHERE environment = 'live' GROUP BY 1, 2) r
            ON (r.account_id, r.meter_id) = (v.account_id, v.meter_id)
          JOIN accounts_organization o ON o.id = coalesce(v.account_id, r.account_id)
         WHERE coalesce(v.requests, 0) <> coalesce(r.requests, 0)
            OR coalesce(v.quantity, 0) <> coalesce(r.quantity, 0)""",
    "what a key and a payer spent is their usage and their captures": """
        SELECT o.public_id, format('%s spent %s; usage and captures %s', coalesce(k.public_id, o.public_id),
                                   coalesce(s.spent, 0), coalesce(u.used, 0))
          FROM (SELECT account_id, subject, sum(spent) AS spent FROM billing_spending GROUP BY 1, 2) s
          FULL JOIN (SELECT account_id, subject, sum(credits) AS used
                       FROM (SELECT r.account_id, subject, r.credits FROM usage_usagerollup r
                              CROSS JOIN unnest(ARRAY[r.account_id, r.key_id]) AS subject
                              UNION ALL
                             SELECT e.account_id, subject, -e.amount
                               FROM billing_ledgerentry e
                               LEFT JOIN billing_hold h ON h.account_id = e.account_id AND h.entry_seq = e.seq
                              CROSS JOIN unnest(ARRAY[e.account_id, h.key_id]) AS subject
                              WHERE e.kind = 'capture'
                                AND NOT EXISTS (SELECT FROM billing_ledgerentry r WHERE r.account_id = e.account_id
                                                   AND r.reverses_seq = e.seq)) each
                      WHERE subject IS NOT NULL GROUP BY 1, 2) u USING (account_id, subject)
          JOIN accounts_organization o ON o.id = account_id
          LEFT JOIN apikeys_apikey k ON k.id = subject
         WHERE coalesce(s.spent, 0) <> coalesce(u.used, 0) AND (subject = account_id OR k.id IS NOT NULL)""",
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
        cursor.execute("LOCK TABLE usage_event IN ACCESS SHARE MODE")  # before the snapshot: no leaf leaves it
        for check, sql in CHECKS.items():
            cursor.execute(sql)
            findings += [Finding(check, organization, detail) for organization, detail in cursor.fetchall()]
    return findings
