"""A gateway without money: it knows Stripe's test tokens, and answers as Stripe's test mode would."""

from decimal import Decimal

from billing.payments.gateways.errors import UnknownToken
from billing.payments.gateways.objects import Card, Charge

BRANDS = {
    "pm_card_visa": ("visa", "4242"),
    "pm_card_visa_debit": ("visa", "5556"),
    "pm_card_mastercard": ("mastercard", "4444"),
    "pm_card_amex": ("amex", "8431"),
    "pm_card_discover": ("discover", "1117"),
    "pm_card_jcb": ("jcb", "0505"),
}
DECLINES = {
    "pm_card_chargeDeclined": "card_declined",
    "pm_card_chargeDeclinedInsufficientFunds": "insufficient_funds",
    "pm_card_chargeDeclinedLostCard": "lost_card",
    "pm_card_chargeDeclinedExpiredCard": "expired_card",
    "pm_card_chargeDeclinedIncorrectCvc": "incorrect_cvc",
    "pm_card_chargeDeclinedProcessingError": "processing_error",
    "pm_card_chargeCustomerFail": "card_declined",
}


class SandboxGateway:
    name = "sandbox"

    def attach(self, token: str) -> Card:
        if token not in BRANDS and token not in DECLINES:
            raise UnknownToken(token)
        brand, last4 = BRANDS.get(token, ("visa", "0002"))
        return Card(token=token, brand=brand, last4=last4, exp_month=12, exp_year=2040)

    def charge(self, *, token: str, amount: Decimal, currency: str, idempotency_key: str) -> Charge:
        reference = f"sandbox_{idempotency_key}"
        if token in DECLINES:
            return Charge(status="failed", reference=reference, failure_code=DECLINES[token])
        return Charge(status="succeeded", reference=reference)
