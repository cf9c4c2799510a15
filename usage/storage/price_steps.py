"""A month's frozen usage by price step, so that each line of a paper is a quantity at one price.

Nearly always all units of a row had the only price of their meter. Where they hadn't (tiers, included quantities,
prices of endpoints, a price that was changed), the events say at which price each was charged. A few events are read
while the payers are locked, and many of them before: then what came meanwhile is seen, since the sums differ.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.lib import distribution, sql
from accounts.lib.money import QUANTUM, ZERO, multiply
from billing.ledger.billing_zone import BillingZone
from billing.models import EndpointPrice, Meter
from usage.metering import pricing
from usage.metering.pricing import Schedule, Tier
from usage.models import MonthClose, MonthlyUsage
from usage.storage.ended_months import ALWAYS

# Each event has one of its meter's prices, if that gives its charge but for the rounding; or else the mean of several,
# or a price that the meter had before.
CHARGED = """
SELECT row, price.unit_amount IS NOT NULL, coalesce(price.unit_amount, round(charged.credits / charged.quantity, 9)),
       sum(charged.quantity * events), sum(charged.credits * events), sum(events)
  FROM {charged}
  LEFT JOIN LATERAL (
       SELECT unit_amount
         FROM (SELECT unit_amount FROM billing_price WHERE meter_id = {meter}
                UNION
               SELECT t.unit_amount FROM billing_pricetier t JOIN billing_price p ON p.id = t.price_id
                WHERE p.meter_id = {meter}
                UNION
               SELECT unit_amount FROM billing_endpointprice WHERE meter_id = {meter}
                UNION
               SELECT 0) known
        WHERE abs(charged.quantity * unit_amount - charged.credits) <= 0.0000000005
        ORDER BY abs(charged.quantity * unit_amount - charged.credits), unit_amount DESC LIMIT 1) price ON true
 GROUP BY 1, 2, 3
"""
EVENTS = """
unnest(%(rows)s::bigint[], %(accounts)s::uuid[], %(organizations)s::uuid[], %(meters)s::bigint[], %(months)s::date[],
       %(since)s::timestamptz[], %(starts)s::timestamptz[], %(ends)s::timestamptz[], %(closes)s::timestamptz[])
    AS r(row, account_id, organization_id, meter_id, month, since, starts_at, ends_at, closes_at)
 CROSS JOIN LATERAL (
       SELECT e.quantity, e.credits, count(*) AS events
         FROM usage_event e
        WHERE e.account_id = {account} AND e.organization_id = r.organization_id AND e.meter_id = r.meter_id
          AND e.occurred_at >= r.starts_at AND e.occurred_at < r.ends_at AND e.environment = 'live' AND e.quantity > 0
          AND (e.billed_in = r.month OR e.billed_in IS NULL AND e.occurred_at >= r.since)
          AND NOT EXISTS (SELECT FROM usage_eventvoid v
                           WHERE (v.account_id, v.organization_id, v.event_id, v.recorded_at)
                               = (e.account_id, e.organization_id, e.id, e.recorded_at) AND v.created_at < r.closes_at)
        GROUP BY 1, 2) charged"""
CHARGED_AT = sql.compose(CHARGED, meter="r.meter_id", charged=sql.compose(EVENTS, account="r.account_id"))

# Where the tables are distributed: the events are on the machine of their payer, the prices on the coordinator.
CHARGED_THERE = sql.compose(
    """
SELECT coalesce(json_agg(json_build_object('row', row, 'meter', meter_id, 'quantity', quantity, 'credits', credits,
                                           'events', events)), '[]')::text
  FROM {events}
""",
    events=sql.compose(EVENTS, account="(%(accounts)s::uuid[])[1]"),
)
PRICED_HERE = sql.compose(
    CHARGED,
    meter="charged.meter",
    charged="""
json_to_recordset(%(charged)s::json)
    AS charged(row bigint, meter bigint, quantity numeric, credits numeric, events bigint)
""",
)

INCLUDED = """
SELECT s.organization_id, l.meter_id, l.included_quantity
  FROM billing_subscription s JOIN billing_planallowance l ON l.plan_id = s.plan_id
 WHERE s.status IN ('active', 'trialing') AND s.organization_id = ANY(%(accounts)s::uuid[])
"""


MOST_LOCKED = 100_000  # events that are read while payers are locked, which takes about a tenth of a second
READINGS = 3  # before the payers are locked; after that everything is read under the lock

Zones = Mapping[UUID, BillingZone]
Key = tuple[UUID, UUID, int, date, date]  # a payer, an organization, a meter, a month, and the month of the events
Charge = tuple[bool, Decimal, Decimal, Decimal, int]  # whether the price is known, price, quantity, credits, events


@dataclass(frozen=True)
class PriceStep:
    """`credits` are what the quantity was charged, exactly. Without a `unit_amount`, its units had several prices."""

    quantity: Decimal
    unit_amount: Decimal | None
    credits: Decimal


class ManyEvents(Exception):
    """There are too many events to read while payers wait. The caller reads these rows and begins again."""

    def __init__(self, rows: Sequence[MonthlyUsage], closes: Mapping[UUID, MonthClose], zones: Zones) -> None:
        super().__init__()
        self.rows, self.closes, self.zones = rows, closes, zones


@dataclass
class Charges:
    """The charges of the events of rows, as far as they were read."""

    by_row: dict[Key, list[Charge]] = field(default_factory=dict)
    readings: int = 0

    def require(self, rows: Sequence[MonthlyUsage], closes: Mapping[UUID, MonthClose], zones: Zones) -> None:
        """Read what is missing. `ManyEvents` instead if that takes long and the payers are locked."""
        missing = [row for row in rows if not self._has(row)]
        if self.readings < READINGS and sum(row.requests for row in missing) > MOST_LOCKED:
            raise ManyEvents(missing, closes, zones)
        self._read(missing, closes, zones)

    def read(self, many: ManyEvents) -> None:
        """With no payer locked."""
        self.readings += 1
        self._read(many.rows, many.closes, many.zones)

    def of(self, row: MonthlyUsage) -> list[Charge]:
        return self.by_row.get(_key(row), [])

    def _has(self, row: MonthlyUsage) -> bool:
        """Not if more events came since they were read."""
        charges = self.of(row)
        sums = sum((charge[2] for charge in charges), ZERO), sum((charge[3] for charge in charges), ZERO)
        return _key(row) in self.by_row and sums == (row.quantity, row.credits)

    def _read(self, rows: Sequence[MonthlyUsage], closes: Mapping[UUID, MonthClose], zones: Zones) -> None:
        self.by_row |= {_key(row): [] for row in rows}
        charged = _charged(_parameters(rows, closes, zones)) if rows else ()
        for number, is_known, price, quantity, credits, events in charged:
            self.by_row[_key(rows[number])].append((is_known, price, quantity, credits, events))


def _charged(parameters: sql.Parameters) -> list[tuple[Any, ...]]:
    if not distribution.is_distributed():
        return sql.rows(CHARGED_AT, parameters)
    [(charged,)] = sql.rows(CHARGED_THERE, parameters)
    return sql.rows(PRICED_HERE, {"charged": charged})


def _key(row: MonthlyUsage) -> Key:
    return row.account_id, row.organization_id, row.meter_id, row.month, row.occurred_in


def of(
    usage: Sequence[MonthlyUsage], closes: Mapping[UUID, MonthClose], zones: Zones, charges: Charges
) -> dict[int, list[PriceStep]]:
    """The steps of each row, by its key, the dearest first. They add up to the row. Raises `ManyEvents`.

    The rows have their meters with them, and those their prices and tiers.
    """
    schedules, several = _schedules(usage)
    steps = {row.pk: [_whole(row, None if row.meter_id in several else schedules[row.pk])] for row in usage}
    mixed = [row for row in usage if row.quantity and steps[row.pk][0].unit_amount is None]
    charges.require(mixed, closes, zones)
    for row in mixed:
        of_row = _steps(charges.of(row), schedules[row.pk])
        if _sums(of_row) == (row.quantity, row.credits):  # events may be retired
            steps[row.pk] = of_row
    return steps


def _whole(row: MonthlyUsage, schedule: Schedule | None) -> PriceStep:
    """With a price, if it is the only one that a unit can have."""
    price = _price(row.quantity, row.credits)
    is_only = schedule is not None and schedule.is_flat and price == schedule.unit_amount
    return PriceStep(row.quantity, price if is_only else None, row.credits)


def _schedules(usage: Sequence[MonthlyUsage]) -> tuple[dict[int, Schedule], set[int]]:
    """What the units of each row cost today, and the meters of which some endpoints have prices of their own."""
    payers = sql.array({row.account_id for row in usage})
    included = {(payer, meter): quantity for payer, meter, quantity in sql.rows(INCLUDED, {"accounts": payers})}
    meters = {row.meter_id: row.meter for row in usage}
    prices = {id: _schedule(meter) for id, meter in meters.items()}
    schedules = {}
    for row in usage:
        units, price = included.get((row.account_id, row.meter_id)), prices[row.meter_id]
        schedules[row.pk] = replace(price, included=units) if units else price
    return schedules, set(EndpointPrice.objects.filter(meter__in=meters).values_list("meter", flat=True))


def _schedule(meter: Meter) -> Schedule:
    price = getattr(meter, "price", None)
    if price is None:
        return Schedule(ZERO)
    return Schedule(price.unit_amount, tuple(Tier(tier.up_to, tier.unit_amount) for tier in price.tiers.all()))


def _parameters(rows: Iterable[MonthlyUsage], closes: Mapping[UUID, MonthClose], zones: Zones) -> dict[str, str]:
    columns: defaultdict[str, list[Any]] = defaultdict(list)
    for number, row in enumerate(rows):
        close, (start, end) = closes[row.account_id], zones[row.account_id].bounds(row.occurred_in)
        values = {
            "rows": number,
            "accounts": row.account_id,
            "organizations": row.organization_id,
            "meters": row.meter_id,
            "months": row.month,
            "since": close.starts_at or ALWAYS,
            "starts": start,
            "ends": end,
            "closes": close.ends_at,
        }
        for name, value in values.items():
            columns[name].append(value)
    return sql.arrays(columns)


def _steps(charged: Iterable[Charge], schedule: Schedule) -> list[PriceStep]:
    """The charges at each price together, the dearest first."""
    sums: defaultdict[Decimal | None, list[Decimal]] = defaultdict(lambda: [ZERO, ZERO])
    for is_known, price, quantity, credits, events in charged:
        parts = pricing.split(schedule, quantity, credits) if events == 1 and not is_known else []
        whole = PriceStep(quantity, price if is_known else _price(quantity, credits), credits)
        for step in [PriceStep(part.quantity, part.unit_amount, part.credits) for part in parts] or [whole]:
            total = sums[step.unit_amount]
            total[0], total[1] = total[0] + step.quantity, total[1] + step.credits
    ordered = sorted(sums.items(), key=lambda step: (step[0] is None, -(step[0] or ZERO)))
    return [PriceStep(quantity, price, credits) for price, (quantity, credits) in ordered]


def _price(quantity: Decimal, credits: Decimal) -> Decimal | None:
    """The price of a unit, if it gives exactly these credits."""
    if not quantity:
        return None
    price = Decimal(credits / quantity).quantize(QUANTUM)
    return price if multiply(price, quantity) == credits else None


def _sums(steps: Iterable[PriceStep]) -> tuple[Decimal, Decimal]:
    steps = list(steps)
    return sum((step.quantity for step in steps), ZERO), sum((step.credits for step in steps), ZERO)
