"""Amounts as people read them."""

from decimal import Decimal

import pytest

from billing.templatetags.money import aligned, amount, country, money, places, signed


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("1250.500000000", "1,250.5"),
        ("-1250.5", "−1,250.5"),
        ("-0.000000001", "−0.000000001"),
        ("1E+3", "1,000"),
        ("123456789012345.123456789", "123,456,789,012,345.123456789"),
    ],
)
def test_every_digit_is_shown(number: str, shown: str) -> None:
    assert amount(Decimal(number)) == shown


def test_what_raises_the_balance_has_a_plus() -> None:
    assert [signed(Decimal(n)) for n in ("2.5", "-2.5", "0")] == ["+2.5", "−2.5", "0"]


@pytest.mark.parametrize(
    ("number", "currency", "shown"),
    [
        ("25", "USD", "USD\u00a025.00"),
        ("25.5", "USD", "USD\u00a025.50"),
        ("2500", "JPY", "JPY\u00a02,500"),
        ("1.2345", "BHD", "BHD\u00a01.2345"),
        ("7", "", "7"),
    ],
)
def test_money_has_the_decimals_of_its_currency(number: str, currency: str, shown: str) -> None:
    assert money(Decimal(number), currency) == shown


def test_the_points_of_a_column_stand_below_each_other() -> None:
    column = [Decimal("2.035"), Decimal(50)]
    width = places(column)
    assert aligned("2.035", width) == "2.035"
    assert aligned("50", width) == "50.000"
    assert aligned("7.5", width) == "7.500"


def test_a_column_of_whole_numbers_has_no_decimals() -> None:
    assert aligned("50", places([Decimal(50), Decimal(7)])) == "50"


def test_a_country_has_its_name() -> None:
    assert [country("FR"), country("??")] == ["France", "??"]
