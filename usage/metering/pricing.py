"""Rating: what a quantity of a meter costs. Pure functions over Decimals, exact until the one rounding of a charge."""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal

from accounts.lib.money import QUANTUM, ZERO, multiply

# Room for the product of a month's quantity, numeric(34, 9), and a price, numeric(24, 9), and for the sum of some.
_exact = Context(prec=80, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True)
class Tier:
    """The units of a month after the previous tier, up to `up_to` (None: all the rest), cost `unit_amount` each."""

    up_to: Decimal | None
    unit_amount: Decimal


@dataclass(frozen=True)
class Schedule:
    """What the units of one meter cost one payer, in the order in which they arrive in a month.

    The first `included` units are free. The others go through the `tiers`, in order of `up_to`, counted from zero
    again. Units beyond the last tier cost `unit_amount`.
    """

    unit_amount: Decimal
    tiers: tuple[Tier, ...] = ()
    included: Decimal = ZERO

    @property
    def is_flat(self) -> bool:
        """Whether a unit costs the same whatever came before it."""
        return not self.tiers and not self.included


def rate(quantity: Decimal, unit_amount: Decimal) -> Decimal:
    """The charge at one price a unit, rounded half-even to nine decimals."""
    return multiply(quantity, unit_amount)


def charge(schedule: Schedule, before: Decimal, quantity: Decimal) -> Decimal:
    """The charge of `quantity` units after `before` others of the month: T(n + q) − T(n), rounded once, half-even."""
    if schedule.is_flat:
        return rate(quantity, schedule.unit_amount)
    after = total(schedule, _exact.add(before, quantity))
    return _exact.quantize(_exact.subtract(after, total(schedule, before)), QUANTUM)


def total(schedule: Schedule, quantity: Decimal) -> Decimal:
    """T(n): what the first `quantity` units of a month cost together, exactly."""
    paid = max(_exact.subtract(quantity, schedule.included), ZERO)
    credits, reached = ZERO, ZERO
    for tier in (*schedule.tiers, Tier(None, schedule.unit_amount)):
        end = paid if tier.up_to is None else min(paid, tier.up_to)
        credits = _exact.add(credits, _exact.multiply(_exact.subtract(end, reached), tier.unit_amount))
        reached = end
    return credits
