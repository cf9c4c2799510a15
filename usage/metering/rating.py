"""Rating under the payers' lock, of what costs by how much of it was used before in its month."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from accounts.lib import quarters, sql
from accounts.lib.money import LARGEST, ZERO
from usage.metering import pricing
from usage.metering.insert import REJECTED, Identity, Rated

VOLUMES = """
SELECT account_id, meter_id, month, quantity FROM usage_volume
 WHERE (account_id, meter_id, month) IN (
       SELECT * FROM unnest(%(accounts)s::uuid[], %(meters)s::bigint[], %(months)s::date[]))
"""

Volume = tuple[UUID, int, date]  # a payer, a meter and a month


def rate(batch: Sequence[Rated], known: Collection[Identity]) -> None:
    """Charge the events that are counted, in the order of their arrival, or refuse them for their charge.

    Duplicates, of what is `known` or of what stands before them in the batch, use up nothing.
    """
    taken = set(known)
    volumes = _volumes({_volume(one) for one in batch if one.terms.is_counted})
    for one in batch:
        if one.identity in taken:
            continue
        if one.terms.is_counted:
            one.credits = pricing.charge(one.terms.schedule, volumes[_volume(one)], one.event.quantity)
            if one.credits > LARGEST:
                one.outcome = REJECTED
                continue
        taken.add(one.identity)
        if one.terms.is_live:
            volumes[_volume(one)] += one.event.quantity


def _volume(one: Rated) -> Volume:
    owner = one.terms.owner
    month = quarters.month_of_quarter(quarters.number_of(one.event.occurred_at), owner.timezone)
    return owner.account, one.terms.meter, month


def _volumes(wanted: set[Volume]) -> defaultdict[Volume, Decimal]:
    accounts, meters, months = zip(*wanted, strict=True)
    named = {"accounts": list(accounts), "meters": list(meters), "months": list(months)}
    return defaultdict(lambda: ZERO, {(a, b, month): n for a, b, month, n in sql.rows(VOLUMES, named)})
