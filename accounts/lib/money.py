"""Amounts: `Decimal` in credits, nine decimals, one rounding rule."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from django.db import models

DIGITS = 24
PLACES = 9
QUANTUM = Decimal(1).scaleb(-PLACES)
LARGEST = Decimal(10**9)
ZERO = Decimal(0)

# Wide enough that the product of two stored numbers is exact before it is rounded.
_exact = Context(prec=2 * DIGITS + 10, rounding=ROUND_HALF_EVEN)


def multiply(a: Decimal, b: Decimal) -> Decimal:
    """The product, rounded half-even to nine decimals."""
    return rounded(_exact.multiply(a, b))


def rounded(number: Decimal) -> Decimal:
    """The number with nine decimals, rounded half-even. It must not be larger than what can be stored."""
    return _exact.quantize(number, QUANTUM)


def plain(amount: Decimal) -> str:
    """Plain decimal digits, without an exponent and without trailing zeros: `0.001`, `5`, `-12.5`."""
    text = format(amount, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


class AmountField(models.DecimalField[Any, Any]):
    """numeric(24, 9)."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "max_digits": DIGITS, "decimal_places": PLACES})
