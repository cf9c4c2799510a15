"""Amounts are Decimals to the digit."""

from decimal import Decimal
from fractions import Fraction

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from accounts.lib import money
from tests.properties import search

amounts = st.decimals(min_value=-(10**15) + 1, max_value=10**15 - 1, places=9)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0"), ("-0", "0"), ("0.000000000", "0"), ("-0.000000000", "0"), ("5", "5"), ("5.000000000", "5"),
        ("100", "100"), ("1E+3", "1000"), ("1E-9", "0.000000001"), ("-12.500000000", "-12.5"),
        ("999999999999999.999999999", "999999999999999.999999999"), ("0.100", "0.1"), ("10.0", "10"),
    ],
)  # fmt: skip
def test_an_amount_is_written_in_plain_digits(amount: str, text: str) -> None:
    assert money.plain(Decimal(amount)) == text


@search(200)
@given(amounts)
def test_what_is_written_reads_back_the_same(amount: Decimal) -> None:
    text = money.plain(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert not (text.endswith(("0", ".")) and "." in text)


@pytest.mark.parametrize("number", ["0", "1.000000000", "0.1000000000000", "1E9", "-1E-9", "123456789012345.123456789"])
def test_nine_decimals_need_no_rounding(number: str) -> None:
    assert money.rounded(Decimal(number)) == Decimal(number)


@pytest.mark.parametrize("number", ["1E-10", "0.0000000005", "1.0000000001", "-1E-999999"])
def test_ten_decimals_do(number: str) -> None:
    assert money.rounded(Decimal(number)) != Decimal(number)


@pytest.mark.parametrize(("typed", "sentence"), [("0", "at least 0.000000001"), ("1000000001", "at most 1000000000")])
def test_a_form_says_its_limits_in_plain_digits(typed: str, sentence: str) -> None:
    field = money.NumberFormField(min_value=money.QUANTUM, max_value=money.LARGEST)
    with pytest.raises(ValidationError, match=sentence):
        field.clean(typed)


@search(200)
@given(amounts, st.integers(-(10**6), 10**6))
def test_a_product_with_a_whole_number_is_exact(amount: Decimal, times: int) -> None:
    assert Fraction(money.multiply(amount, Decimal(times))) == Fraction(amount) * times
