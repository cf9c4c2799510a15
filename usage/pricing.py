"""Rating: what a quantity of a meter costs. Pure functions over Decimals."""

from decimal import Decimal

from billing.money import multiply


def rate(quantity: Decimal, unit_amount: Decimal) -> Decimal:
    """The charge in credits, rounded half-even to nine decimals."""
    return multiply(quantity, unit_amount)
