"""What must hold whatever the clients claim: tiered prices, card charges, and the limits of the poor account."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection

from tests.faults.cast import POOR_BUDGET, TIER_LIMIT, TIER_PRICES, TIERED, Cast

TIERED_USAGE = """
SELECT account_id, sum(quantity), sum(credits) FROM usage_event
 WHERE account_id = ANY(%(accounts)s) AND meter_id = (SELECT id FROM billing_meter WHERE slug = %(meter)s)
 GROUP BY account_id
"""
# Compares the gateway's record of charges with ours. A payment that is still pending may already be charged; one that
# failed must not be.
CHARGES = """
WITH charge AS (
    SELECT substr(body #>> '{request,metadata,payment}', 5) AS id, (body ->> 'received')::numeric / 100 AS amount
      FROM billing_sandboxobject WHERE kind = 'intent' AND (body ->> 'received')::numeric > 0
), payment AS (
    SELECT replace(id::text, '-', '') AS id, amount, status,
           CASE WHEN status <> 'failed' THEN amount END AS expected FROM billing_payment
)
SELECT id, charge.amount, payment.amount, payment.status FROM charge FULL JOIN payment USING (id)
 WHERE charge.amount IS DISTINCT FROM payment.expected AND payment.status IS DISTINCT FROM 'pending'
"""
POOR = """
SELECT a.balance, a.balance - a.reserved,
       (SELECT coalesce(sum(spent), 0) FROM billing_spending s WHERE s.account_id = a.organization_id
           AND s.subject = %(key)s),
       (SELECT coalesce(sum(amount), 0) FROM billing_hold h WHERE h.account_id = a.organization_id
           AND h.key_id = %(key)s AND h.status = 'open' AND h.expires_at > now())
  FROM billing_ledgeraccount a WHERE a.organization_id = %(account)s
"""


def broken(cast: Cast, accounts: Iterable[UUID]) -> list[str]:
    return [*_tiers(accounts), *_charges(), *_poor(cast)]


def _tiers(accounts: Iterable[UUID]) -> list[str]:
    rows = _rows(TIERED_USAGE, {"accounts": list(accounts), "meter": TIERED})
    return [
        f"{quantity} of {TIERED} cost {account} {credits}, not {graduated(quantity)}"
        for account, quantity, credits in rows
        if credits != graduated(quantity)
    ]


def graduated(quantity: Decimal) -> Decimal:
    """The price of this quantity in one month."""
    first, rest = TIER_PRICES
    return min(quantity, TIER_LIMIT) * first + max(quantity - TIER_LIMIT, Decimal(0)) * rest


def _charges() -> list[str]:
    return [
        f"payment {id}: the gateway charged {charged}, ours is {status} of {amount}"
        for id, charged, amount, status in _rows(CHARGES, {})
    ]


def _poor(cast: Cast) -> list[str]:
    """Only admitted holds and their captures touch it, so it is never in debt and its key never exceeds its budget."""
    [(balance, available, spent, held)] = _rows(POOR, {"account": cast.poor.account, "key": cast.poor.key})
    wrong = [f"the poor account has {balance}, and {available} available"] * (min(balance, available) < 0)
    return wrong + [f"{spent} spent and {held} held of a budget of {POOR_BUDGET}"] * (spent + held > POOR_BUDGET)


def _rows(statement: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return list(cursor.fetchall())
