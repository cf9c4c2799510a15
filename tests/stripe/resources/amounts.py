"""Which amounts can be charged: docs.stripe.com/currencies."""

from tests.stripe.errors import invalid

MINIMUMS = {"usd": 50, "eur": 50, "gbp": 30, "jpy": 50, "chf": 50, "huf": 17500, "czk": 1500}
TEN = {"bhd", "jod", "kwd", "omr", "tnd"}  # thousandths whose last digit must be 0
HUNDRED = {"isk"}  # hundredths of whole units
LARGEST = 99_999_999


def check_amount(amount: int, currency: str) -> None:
    if currency != currency.lower() or len(currency) != 3:
        raise invalid(f"Invalid currency: {currency}.", param="currency")
    if amount < MINIMUMS.get(currency, 1):
        raise invalid("Amount must be at least 50 cents or its equivalent.", "amount_too_small", "amount")
    if amount > LARGEST:
        raise invalid("Amount must be no more than 999,999.99.", "amount_too_large", "amount")
    step = 10 if currency in TEN else 100 if currency in HUNDRED else 1
    if amount % step:
        raise invalid(f"Invalid amount: {currency} is charged in steps of {step}.", "invalid_charge_amount", "amount")
