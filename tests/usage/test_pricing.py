"""Rating is exact, and rounds in one way."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.money import QUANTUM
from tests.properties import search
from usage import pricing

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
