"""The months of several payers that are being closed, for statements that work on all of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

from accounts.lib import sql
from billing.ledger.billing_zone import BillingZone
from usage.models import MonthClose

ALWAYS = datetime.min.replace(tzinfo=UTC)

# For a FROM clause, with the parameters below. The first close of a payer has everything that was before its end: so
# `since` is when it begins for what it bills, and `starts_at` when its calendar month begins.
MONTHS = """
unnest(%(accounts)s::uuid[], %(months)s::date[], %(since)s::timestamptz[], %(starts)s::timestamptz[],
       %(ends)s::timestamptz[]) AS m(account_id, month, since, starts_at, ends_at)"""

# The same of one payer, as one value, for a database whose tables are distributed.
MONTH_OF_ONE = """
(SELECT (%(accounts)s::uuid[])[1] AS account_id, (%(months)s::date[])[1] AS month,
        (%(since)s::timestamptz[])[1] AS since, (%(starts)s::timestamptz[])[1] AS starts_at,
        (%(ends)s::timestamptz[])[1] AS ends_at) m"""


def parameters(closes: Sequence[MonthClose], zones: Mapping[UUID, BillingZone]) -> dict[str, str]:
    """Those of `MONTHS`."""
    columns = {
        "accounts": [close.account_id for close in closes],
        "months": [close.month for close in closes],
        "since": [close.starts_at or ALWAYS for close in closes],
        "starts": [start(close, zones[close.account_id]) for close in closes],
        "ends": [close.ends_at for close in closes],
    }
    return sql.arrays(columns)


def start(close: MonthClose, zone: BillingZone) -> datetime:
    """When its calendar month begins."""
    return close.starts_at or zone.bounds(close.month)[0]
