"""Checks numbers that callers send, before any arithmetic and before any SQL."""

from decimal import Decimal
from typing import Any

from accounts.lib.money import DIGITS, PLACES, PLAIN, QUANTUM, ZERO, plain, rounded
from accounts.lib.sentences import filled

LARGEST_STORED = Decimal(10) ** (DIGITS - PLACES) - QUANTUM


def read(value: Any, *, least: Decimal = -LARGEST_STORED, most: Decimal = LARGEST_STORED) -> Decimal:
    """The number in a JSON value: a JSON number, or a string with a plain decimal. It has at most nine decimals.

    Raises `ValueError` with a sentence for the caller. Zeros don't count, however many: `0e-16384` is 0, and so is 1
    with thousands of decimals that are all zero.
    """
    if type(value) is int and least <= value <= most:  # nearly every quantity
        return Decimal(value)
    if type(value) is not int and not isinstance(value, str | Decimal):
        raise ValueError("A valid number is required.")
    if isinstance(value, str) and not PLAIN.fullmatch(value):
        raise ValueError("A valid number is required. In a string: plain digits such as 12.5, without an exponent.")
    number = Decimal(value)
    if not (number.is_finite() and least <= number <= most):
        raise ValueError(filled("Must be from %(least)s to %(most)s.", least=plain(least), most=plain(most)))
    exact = rounded(number)
    if exact != number:
        raise ValueError(filled("At most %(most)s decimals.", most=PLACES))
    return exact or ZERO
