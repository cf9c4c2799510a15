"""The months of payers as intervals of time, so that a statement can sort usage into them.

Only Python knows them: they follow the payer's billing zone, and PostgreSQL's time zone data may differ from ours.
"""

from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from accounts.lib import months, sql
from billing.ledger import billing_zone
from billing.ledger.billing_zone import BillingZone

ZONES = """
SELECT a.organization_id, o.timezone, a.zones::text
  FROM billing_ledgeraccount a JOIN accounts_organization o ON o.id = a.organization_id
 WHERE a.organization_id = ANY(%(accounts)s::uuid[])
"""

# The months, in UTC, in which something happened that counts in a month.
USED = """
SELECT DISTINCT account_id, date_trunc('month', moment AT TIME ZONE 'UTC')::date
  FROM (SELECT account_id, bucket FROM usage_usagerollup WHERE account_id = ANY(%(accounts)s::uuid[])
         UNION ALL
        SELECT account_id, created_at FROM billing_ledgerentry
         WHERE account_id = ANY(%(accounts)s::uuid[]) AND kind = 'capture') used(account_id, moment)
"""

# For a FROM clause, with the parameters below.
INTERVALS = """
unnest(%(payers)s::uuid[], %(months)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
    AS payer_month(account_id, month, starts_at, ends_at)"""


def parameters(accounts: Collection[UUID]) -> dict[str, list[Any]]:
    """Those of `INTERVALS`: every month of these payers in which something was used."""
    named = {"accounts": list(accounts)}
    zones = {account: billing_zone.parse(timezone, zones) for account, timezone, zones in sql.rows(ZONES, named)}
    # A month of the payer may begin or end in the month before or after in UTC.
    around = {
        (account, months.shift(month, n))
        for account, month in sql.rows(USED, named)
        for n in (-1, 0, 1)
        if account in zones and (n >= 0 or month > date.min)
    }
    intervals = [(account, month, *_bounds(zones[account], month)) for account, month in sorted(around)]
    columns = zip(*intervals, strict=True) if intervals else ((), (), (), ())
    return {name: list(column) for name, column in zip(("payers", "months", "starts", "ends"), columns, strict=True)}


def _bounds(zone: BillingZone, month: date) -> tuple[datetime, datetime]:
    if month == date.min:  # it began before there were years
        return datetime.min.replace(tzinfo=UTC), zone.bounds(months.shift(month, 1))[0]
    return zone.bounds(month)
