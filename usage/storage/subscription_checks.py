"""Checks of subscriptions. Each statement selects what is wrong, as in `usage_checks`.

A row without an anchor is one of the first release that was not brought up to date yet: it has no periods.
"""

FOLLOW = """
SELECT organization_id, format('%s: a period ends at %s, and the next begins at %s', id, ended_at, starts_at)
  FROM (SELECT s.organization_id, s.id, p.starts_at,
               lag(p.ends_at) OVER (PARTITION BY s.id ORDER BY p.starts_at) AS ended_at
          FROM billing_subscription s JOIN billing_subscriptionperiod p ON p.subscription_id = s.id) followed
 WHERE starts_at <> ended_at
"""

REACH = """
SELECT s.organization_id, format('%s is paid to %s, and its period ends at %s', s.id, p.ends_at, s.current_period_end)
  FROM billing_subscription s
  LEFT JOIN (SELECT subscription_id, max(ends_at) AS ends_at FROM billing_subscriptionperiod GROUP BY 1) p
    ON p.subscription_id = s.id
 WHERE s.anchor <> '' AND p.ends_at IS DISTINCT FROM s.current_period_end
"""

FEES = """
SELECT coalesce(p.organization_id, e.account_id),
       format('period %s costs %s with entry %s; entry %s is %s', p.id, p.fee, p.entry_seq, e.seq, e.amount)
  FROM (SELECT p.*, s.organization_id FROM billing_subscriptionperiod p
          JOIN billing_subscription s ON s.id = p.subscription_id WHERE p.entry_seq IS NOT NULL) p
  FULL JOIN (SELECT * FROM billing_ledgerentry WHERE kind = 'subscription') e
    ON e.account_id = p.organization_id AND e.seq = p.entry_seq
 WHERE e.seq IS NULL OR e.amount <> -p.fee OR p.id IS NULL AND e.idempotency_key ~ '^period:'
"""

LIMITS = """
SELECT a.organization_id, format('its keys may call %s times in %s s; its plan says %s in %s s', a.rate_limit,
                                 a.rate_limit_window_seconds, s.rate_limit, s.rate_limit_window_seconds)
  FROM billing_ledgeraccount a
  LEFT JOIN (SELECT s.organization_id, p.rate_limit, p.rate_limit_window_seconds
               FROM billing_subscription s JOIN billing_plan p ON p.id = s.plan_id WHERE s.status <> 'canceled') s
    ON s.organization_id = a.organization_id
 WHERE (a.rate_limit, a.rate_limit_window_seconds) IS DISTINCT FROM (s.rate_limit, s.rate_limit_window_seconds)
"""

CHECKS = {
    "the periods of a subscription follow each other": FOLLOW,
    "a subscription is paid to the end of its current period": REACH,
    "each fee is the price of one period": FEES,
    "the rate limit of a payer is its plan's": LIMITS,
}
