"""Rating under the payers' lock, where the charge depends on how much of a meter was used before in the month."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from decimal import Decimal
from uuid import UUID

from accounts.lib import sql
from accounts.lib.money import LARGEST, ZERO
from billing.ledger.balances import Locked
from usage.metering import pricing
from usage.metering.insert import REJECTED, Identity, RatedEvent
from usage.metering.lookup import over_limit

VOLUMES = """
SELECT account_id, meter_id, month, quantity FROM usage_volume
 WHERE (account_id, meter_id, month) IN (
       SELECT * FROM unnest(%(accounts)s::uuid[], %(meters)s::bigint[], %(months)s::date[]))
"""

VolumeKey = tuple[UUID, int, date]  # a payer, a meter and a month


def rate(batch: Sequence[RatedEvent], known: Collection[Identity], locked: Mapping[UUID, Locked]) -> None:
    """Charge the events that are priced by volume, in the order of their arrival, or refuse them for their charge.

    Duplicates use up nothing, whether they are `known` or stand later in the batch. `locked` are all payers.
    """
    sql.require_transaction()

    def key_of(event: RatedEvent) -> VolumeKey:
        account = event.terms.owner.account
        return account, event.terms.meter, locked[account].zone.month_of(event.record.occurred_at)

    taken = set(known)
    volumes = _volumes({key_of(event) for event in batch if event.terms.by_volume})
    for event in batch:
        if event.identity in taken or event.outcome == REJECTED:
            continue
        if event.terms.by_volume:
            event.credits = pricing.charge(event.terms.schedule, volumes[key_of(event)], event.record.quantity)
            if event.credits > LARGEST:
                event.reject(over_limit())
                continue
        taken.add(event.identity)
        if event.terms.is_live:
            volumes[key_of(event)] += event.record.quantity


def _volumes(keys: set[VolumeKey]) -> defaultdict[VolumeKey, Decimal]:
    accounts, meters, months = zip(*keys, strict=True)
    parameters = {"accounts": list(accounts), "meters": list(meters), "months": list(months)}
    rows = sql.rows(VOLUMES, parameters)
    return defaultdict(lambda: ZERO, {(account, meter, month): used for account, meter, month, used in rows})
