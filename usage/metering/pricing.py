"""Rating: what a quantity of a meter costs. Pure functions over Decimals, exact until the one rounding of a charge."""

from collections.abc import Sequence
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


@dataclass(frozen=True)
class Part:
    """Units of one charge that had the same price."""

    quantity: Decimal
    unit_amount: Decimal
    credits: Decimal


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


def split(schedule: Schedule, quantity: Decimal, credits: Decimal) -> list[Part]:
    """The parts of a charge that went over the borders of tiers; none if no way through them gives it.

    A charge begins in one tier, uses up those that follow, and ends in another.
    """
    steps: list[tuple[Decimal | None, Decimal]] = [(schedule.included, ZERO)] if schedule.included else []
    reached = ZERO
    for tier in schedule.tiers:
        steps.append((tier.up_to and tier.up_to - reached, tier.unit_amount))
        reached = tier.up_to or reached
    steps.append((None, schedule.unit_amount))
    ways = ((start, start + span + 1) for span in range(1, len(steps)) for start in range(len(steps) - span))
    return next((parts for start, end in ways if (parts := _parts(steps[start:end], quantity, credits))), [])


def _parts(steps: Sequence[tuple[Decimal | None, Decimal]], quantity: Decimal, credits: Decimal) -> list[Part]:
    """The charge as some units of the first step, all of those between, and some of the last. Widths and prices."""
    (first_width, first), *between, (last_width, last) = steps
    whole = [Part(width or ZERO, price, rate(width or ZERO, price)) for width, price in between]
    units = quantity - sum((part.quantity for part in whole), ZERO)
    cost = credits - sum((part.credits for part in whole), ZERO)
    if first == last or units <= 0:
        return []
    begun = _exact.quantize(_exact.divide(cost - _exact.multiply(units, last), first - last), QUANTUM)
    ended = units - begun
    total = _exact.add(_exact.multiply(begun, first), _exact.multiply(ended, last))
    fits = 0 < begun <= (first_width or begun) and 0 < ended <= (last_width or ended)
    if not fits or abs(total - cost) > QUANTUM / 2:
        return []
    start = Part(begun, first, rate(begun, first))
    return [start, *whole, Part(ended, last, cost - start.credits)]
