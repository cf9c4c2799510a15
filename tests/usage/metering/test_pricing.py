"""Rating is exact, and rounds in one way."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib.money import QUANTUM, ZERO
from tests.properties import search
from usage.metering import pricing
from usage.metering.pricing import Schedule, Tier

quantities = st.decimals(min_value=0, max_value=10**9, places=9)
prices = st.decimals(min_value=0, max_value=10**9, places=9)


@pytest.mark.parametrize(
    ("quantity", "unit_amount", "charge"),
    [
        ("1", "0.001", "0.001"), ("3", "0.01", "0.03"), ("0", "5", "0"), ("7", "0", "0"),
        ("0.5", "0.000000001", "0"), ("1.5", "0.000000001", "0.000000002"), ("2.5", "0.000000001", "0.000000002"),
        ("2.500000001", "0.000000001", "0.000000003"), ("1000000000", "1000000000", "1000000000000000000"),
        ("999999999.999999999", "999999999.999999999", "999999999999999998.000000000"),
        ("0.500000001", "100000000000.000000001", "50000000100.000000001"),  # rounded once, from 29 digits
    ],
)  # fmt: skip
def test_a_charge_is_the_product_rounded_half_even(quantity: str, unit_amount: str, charge: str) -> None:
    assert pricing.rate(Decimal(quantity), Decimal(unit_amount)) == Decimal(charge)


@search(200)
@given(quantities, prices)
def test_a_charge_is_within_half_a_quantum_of_the_exact_product(quantity: Decimal, unit_amount: Decimal) -> None:
    charge = pricing.rate(quantity, unit_amount)
    difference = abs(Fraction(charge) - Fraction(quantity) * Fraction(unit_amount))
    assert difference <= Fraction(QUANTUM) / 2
    assert Fraction(charge) % Fraction(QUANTUM) == 0


@search(100)
@given(quantities, quantities, prices)
def test_more_never_costs_less(quantity: Decimal, more: Decimal, unit_amount: Decimal) -> None:
    less, most = sorted([quantity, more])
    assert pricing.rate(less, unit_amount) <= pricing.rate(most, unit_amount)


# T: what the first n units of a month cost together.

amounts = st.decimals(min_value=0, max_value=10**6, places=9)


@st.composite
def schedules(draw: st.DrawFn, units: st.SearchStrategy[Decimal] = amounts) -> Schedule:
    """Up to four tiers, the last one with an end or without; some units included."""
    ends: list[Decimal | None] = [*sorted(draw(st.sets(units.filter(bool), max_size=4)))]
    is_endless: bool = draw(st.booleans())
    if ends and is_endless:
        ends[-1] = None
    tiers = tuple(Tier(end, draw(amounts)) for end in ends)
    return Schedule(draw(amounts), tiers, draw(units))


GRADUATED = Schedule(Decimal("0.5"), (Tier(Decimal(10), Decimal(3)), Tier(Decimal(20), Decimal(2))), Decimal(5))


@pytest.mark.parametrize(
    ("units", "cost"), [("0", "0"), ("5", "0"), ("6", "3"), ("15", "30"), ("16", "32"), ("25", "50"), ("27", "51")]
)
def test_included_units_come_first_then_each_tier_then_the_price_itself(units: str, cost: str) -> None:
    assert pricing.total(GRADUATED, Decimal(units)) == Decimal(cost)


def test_a_last_tier_without_an_end_takes_all_the_rest() -> None:
    endless = Schedule(Decimal(9), (Tier(Decimal(10), Decimal(2)), Tier(None, Decimal(1))))
    assert pricing.total(endless, Decimal(1000)) == 20 + 990


def test_a_charge_that_crosses_an_end_is_split_there() -> None:
    assert pricing.charge(GRADUATED, Decimal(14), Decimal(4)) == 3 + 3 * 2


def test_a_charge_is_rounded_once_however_many_tiers_it_crosses() -> None:
    fine = Schedule(ZERO, (Tier(Decimal("0.4"), QUANTUM), Tier(None, QUANTUM)))
    assert pricing.charge(fine, ZERO, Decimal("0.8")) == QUANTUM


@search(200)
@given(schedules(), amounts, amounts)
def test_more_units_never_cost_less_in_total(schedule: Schedule, quantity: Decimal, other: Decimal) -> None:
    less, most = sorted([quantity, other])
    assert pricing.total(schedule, less) <= pricing.total(schedule, most)


@search(200)
@given(schedules(), st.lists(amounts, min_size=1, max_size=5))
def test_a_quantity_in_parts_costs_what_it_costs_whole(schedule: Schedule, parts: list[Decimal]) -> None:
    """But for the rounding of each charge."""
    before, parted = ZERO, ZERO
    for part in parts:
        parted += pricing.charge(schedule, before, part)
        before += part
    whole = pricing.charge(schedule, ZERO, before)
    assert abs(Fraction(parted) - Fraction(whole)) <= len(parts) * Fraction(QUANTUM)


@search(100)
@given(schedules(st.integers(0, 60).map(Decimal)), st.integers(0, 100))
def test_a_total_is_the_sum_of_its_units_one_by_one(schedule: Schedule, units: int) -> None:
    def price(unit: int) -> Fraction:
        """Of the unit-th unit of a month, counted from 1."""
        paid = unit - schedule.included
        if paid <= 0:
            return Fraction(0)
        tier_of_unit = next((tier for tier in schedule.tiers if tier.up_to is None or paid <= tier.up_to), None)
        return Fraction(tier_of_unit.unit_amount if tier_of_unit else schedule.unit_amount)

    assert Fraction(pricing.total(schedule, Decimal(units))) == sum(price(unit) for unit in range(1, units + 1))


@search(100)
@given(quantities, quantities, prices)
def test_a_flat_price_does_not_depend_on_what_came_before(n: Decimal, quantity: Decimal, unit_amount: Decimal) -> None:
    flat = Schedule(unit_amount)
    endless = Schedule(ZERO, (Tier(None, unit_amount),))
    assert (
        pricing.charge(flat, n, quantity) == pricing.charge(endless, n, quantity) == pricing.rate(quantity, unit_amount)
    )


def test_the_largest_month_is_charged_to_the_last_digit() -> None:
    """A month's quantity is numeric(34, 9)."""
    n, unit_amount = Decimal(10**25) - QUANTUM, Decimal("999999999.999999999")
    dear = Schedule(ZERO, (Tier(None, unit_amount),))
    assert pricing.charge(dear, n, Decimal(1)) == unit_amount
