"""Checks of imports: each row was imported once. Each statement selects what is wrong."""

BALANCES = """
SELECT coalesce(r.organization_id, e.account_id),
       format('row %s, entry %s', r.external_id, coalesce(e.seq::text, r.target))
  FROM (SELECT organization_id, external_id, target FROM usage_importedrow WHERE type = 'balance') r
  FULL JOIN (SELECT account_id, seq FROM billing_ledgerentry WHERE kind = 'import') e
    ON e.account_id = r.organization_id AND e.seq::text = r.target
 WHERE r.target IS NULL OR e.seq IS NULL
"""

USAGE = """
SELECT coalesce(r.organization_id, u.organization_id),
       format('row %s, usage %s', r.external_id, coalesce(u.id::text, r.target))
  FROM (SELECT organization_id, external_id, target FROM usage_importedrow WHERE type = 'usage') r
  FULL JOIN usage_importedusage u ON u.organization_id = r.organization_id AND u.id::text = r.target
 WHERE r.target IS NULL OR u.id IS NULL
"""

CHECKS = {
    "each imported balance is one entry": BALANCES,
    "each imported usage is there once": USAGE,
}
