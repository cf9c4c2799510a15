"""Rating under the payers' lock, where the charge depends on how much of a meter was used before in the month."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from accounts.lib import quarters, sql
from accounts.lib.money import LARGEST, ZERO
from usage.metering import pricing
from usage.metering.insert import REJECTED, Identity, RatedEvent

VOLUMES = """
SELECT account_id, meter_id, month, quantity FROM usage_volume
 WHERE (account_id, meter_id, month) IN (
       SELECT * FROM unnest(%(accounts)s::uuid[], %(meters)s::bigint[], %(months)s::date[]))
"""

VolumeKey = tuple[UUID, int, date]  # a payer, a meter and a month


def rate(batch: Sequence[RatedEvent], known: Collection[Identity]) -> None:
    """Charge the events that are priced by volume, in the order of their arrival, or refuse them for their charge.

    Duplicates use up nothing, whether they are `known` or stand later in the batch.
    """
    taken = set(known)
    volumes = _volumes({_volume_key(event) for event in batch if event.terms.by_volume})
    for event in batch:
        if event.identity in taken:
            continue
        if event.terms.by_volume:
            used = volumes[_volume_key(event)]
            event.credits = pricing.charge(event.terms.schedule, used, event.record.quantity)
            if event.credits > LARGEST:
                event.outcome = REJECTED
                continue
        taken.add(event.identity)
        if event.terms.is_live:
            volumes[_volume_key(event)] += event.record.quantity


def _volume_key(event: RatedEvent) -> VolumeKey:
    owner = event.terms.owner
    month = quarters.month_of_quarter(quarters.number_of(event.record.occurred_at), owner.timezone)
    return owner.account, event.terms.meter, month


def _volumes(keys: set[VolumeKey]) -> defaultdict[VolumeKey, Decimal]:
    accounts, meters, months = zip(*keys, strict=True)
    parameters = {"accounts": list(accounts), "meters": list(meters), "months": list(months)}
    rows = sql.rows(VOLUMES, parameters)
    return defaultdict(lambda: ZERO, {(account, meter, month): used for account, meter, month, used in rows})
