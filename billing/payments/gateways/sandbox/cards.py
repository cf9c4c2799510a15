"""The cards that the sandbox knows, by the names that Stripe's test mode has for them (docs.stripe.com/testing)."""

from dataclasses import dataclass
from enum import Enum

from billing.payments.gateways.objects import Decline


class Authentication(Enum):
    NEVER = "never"
    TO_SAVE = "to_save"  # once, when the card is saved
    ALWAYS = "always"  # for each payment too


@dataclass(frozen=True)
class SandboxCard:
    """How a test card behaves. `decline` comes when it is charged: saving it succeeds."""

    brand: str
    last4: str
    decline: Decline | None = None
    authentication: Authentication = Authentication.NEVER
    is_disputed: bool = False  # the cardholder contests every charge


def _declined(
    last4: str, decline_code: str, *, code: str = "card_declined", advice: str = "try_again_later"
) -> SandboxCard:
    return SandboxCard("visa", last4, Decline(code, decline_code, advice))


NEVER_AGAIN = "do_not_try_again"
CARDS = {
    "pm_card_visa": SandboxCard("visa", "4242"),
    "pm_card_visa_debit": SandboxCard("visa", "5556"),
    "pm_card_mastercard": SandboxCard("mastercard", "4444"),
    "pm_card_amex": SandboxCard("amex", "8431"),
    "pm_card_discover": SandboxCard("discover", "1117"),
    "pm_card_diners": SandboxCard("diners", "0004"),
    "pm_card_jcb": SandboxCard("jcb", "0505"),
    "pm_card_unionpay": SandboxCard("unionpay", "0005"),
    "pm_card_chargeDeclined": _declined("0002", "generic_decline"),
    "pm_card_chargeDeclinedInsufficientFunds": _declined("9995", "insufficient_funds"),
    "pm_card_chargeDeclinedLostCard": _declined("9987", "lost_card", advice=NEVER_AGAIN),
    "pm_card_chargeDeclinedStolenCard": _declined("9979", "stolen_card", advice=NEVER_AGAIN),
    "pm_card_chargeDeclinedFraudulent": _declined("0019", "fraudulent", advice=NEVER_AGAIN),
    "pm_card_chargeDeclinedExpiredCard": _declined("0069", "", code="expired_card", advice=NEVER_AGAIN),
    "pm_card_chargeDeclinedIncorrectCvc": _declined("0127", "", code="incorrect_cvc", advice="confirm_card_data"),
    "pm_card_chargeDeclinedProcessingError": _declined("0119", "", code="processing_error"),
    "pm_card_chargeCustomerFail": _declined("0341", "generic_decline"),
    "pm_card_authenticationRequired": SandboxCard("visa", "3184", authentication=Authentication.ALWAYS),
    "pm_card_authenticationRequiredOnSetup": SandboxCard("visa", "3155", authentication=Authentication.TO_SAVE),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": SandboxCard(
        "visa", "3178", Decline("card_declined", "insufficient_funds", "try_again_later"), Authentication.ALWAYS
    ),
    "pm_card_createDispute": SandboxCard("visa", "0259", is_disputed=True),
}
