"""The gateway's number for an amount, by currency; and amounts that are refused before anything is written."""

from decimal import Decimal

import pytest
from babel.numbers import get_currency_precision
from hypothesis import given
from hypothesis import strategies as st

from billing.payments.minor_units import MINIMUMS, Money, NotChargeable, charge, decimals, money, round_up

CURRENCIES = sorted(MINIMUMS)


def step(currency: str) -> Decimal:
    return Decimal(1).scaleb(-decimals(currency))


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [
        ("12.50", "USD", 1250), ("0.30", "GBP", 30), ("500", "JPY", 500), ("5.000", "USD", 500), ("5E+2", "JPY", 500),
        ("4500", "COP", 450000), ("175.5", "HUF", 17550), ("100", "ALL", 10000), ("500", "ISK", 50000),
        ("1.25", "KWD", 1250), ("3", "TND", 3000), ("1000", "XOF", 1000), ("999999.99", "USD", 99999999),
    ],
)  # fmt: skip
def test_an_amount_is_sent_in_the_currencys_minor_unit(amount: str, currency: str, minor: int) -> None:
    assert charge(Decimal(amount), currency) == Money(minor, currency)
    assert Money(minor, currency).amount == Decimal(amount)


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("0.001", "USD", "amount_too_precise"), ("100.5", "JPY", "amount_too_precise"),
        ("100.5", "ISK", "amount_too_precise"), ("1.255", "KWD", "amount_too_precise"),
        ("5.0000000000000000000000000000000000001", "USD", "amount_too_precise"),
        ("0.49", "USD", "amount_too_small"), ("0", "USD", "amount_too_small"), ("-1", "USD", "amount_too_small"),
        ("49", "JPY", "amount_too_small"),
        ("1000000", "USD", "amount_too_large"), ("1E+30", "USD", "amount_too_large"),
        ("1E-30", "USD", "amount_too_precise"), ("0E-16384", "USD", "amount_too_small"),
        ("5", "UGX", "currency_not_supported"), ("5", "KPW", "currency_not_supported"),
        ("5", "", "currency_not_supported"),
        ("5", "usd", "currency_not_supported"),
    ],
)  # fmt: skip
def test_what_cannot_be_charged_is_refused_with_a_code(amount: str, currency: str, code: str) -> None:
    with pytest.raises(NotChargeable) as refusal:
        charge(Decimal(amount), currency)
    assert refusal.value.code == code


def is_chargeable(amount: Decimal, currency: str) -> bool:
    try:
        return charge(amount, currency).amount == amount
    except NotChargeable:
        return False


def test_the_minimum_itself_can_be_charged_and_a_step_less_cannot() -> None:
    assert [c for c in CURRENCIES if not is_chargeable(MINIMUMS[c], c)] == []
    assert [c for c in CURRENCIES if is_chargeable(MINIMUMS[c] - step(c), c)] == []


@given(st.sampled_from(CURRENCIES), st.decimals(0, 90_000, places=9))
def test_rounding_up_never_ends_below_and_never_a_whole_step_above(currency: str, amount: Decimal) -> None:
    rounded = round_up(amount, currency)
    money(rounded, currency)
    assert rounded >= max(amount, MINIMUMS[currency])
    assert rounded == MINIMUMS[currency] or rounded - amount < step(currency)


def test_the_display_decimals_of_babel_would_take_a_hundredth() -> None:
    """Why there is a table of our own."""
    wrong = {c for c in CURRENCIES if get_currency_precision(c) == 0 and money(Decimal(1000), c).minor != 1000}
    assert wrong == {"AFN", "ALL", "ISK", "LAK", "LBP", "MMK", "RSD", "SOS", "YER"}
