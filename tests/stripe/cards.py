"""Stripe's test cards: docs.stripe.com/testing. A card may be saved, and behaves when it is charged."""

from dataclasses import dataclass


@dataclass(frozen=True)
class TestCard:
    __test__ = False  # no test, for pytest

    brand: str
    last4: str
    code: str = ""  # of the decline
    decline_code: str = ""
    advice_code: str = "try_again_later"
    authenticates: str = "never"  # or "to_save", "always"
    is_disputed: bool = False


def _declined(last4: str, decline_code: str, advice_code: str = "try_again_later") -> TestCard:
    return TestCard("visa", last4, "card_declined", decline_code, advice_code)


_PLAIN = {
    "visa": TestCard("visa", "4242"),
    "visa_debit": TestCard("visa", "5556"),
    "mastercard": TestCard("mastercard", "4444"),
    "amex": TestCard("amex", "8431"),
    "discover": TestCard("discover", "1117"),
    "diners": TestCard("diners", "0004"),
    "jcb": TestCard("jcb", "0505"),
    "unionpay": TestCard("unionpay", "0005"),
    "chargeCustomerFail": _declined("0341", "generic_decline"),
    "chargeDeclined": _declined("0002", "generic_decline"),
    "chargeDeclinedInsufficientFunds": _declined("9995", "insufficient_funds"),
    "chargeDeclinedLostCard": _declined("9987", "lost_card", "do_not_try_again"),
    "chargeDeclinedStolenCard": _declined("9979", "stolen_card", "do_not_try_again"),
    "chargeDeclinedFraudulent": _declined("0019", "fraudulent", "do_not_try_again"),
    "chargeDeclinedExpiredCard": TestCard("visa", "0069", "expired_card", "", "do_not_try_again"),
    "chargeDeclinedIncorrectCvc": TestCard("visa", "0127", "incorrect_cvc", "", "confirm_card_data"),
    "chargeDeclinedProcessingError": TestCard("visa", "0119", "processing_error"),
    "authenticationRequired": TestCard("visa", "3184", authenticates="always"),
    "authenticationRequiredOnSetup": TestCard("visa", "3155", authenticates="to_save"),
    "authenticationRequiredChargeDeclinedInsufficientFunds": TestCard(
        "visa", "3178", "card_declined", "insufficient_funds", authenticates="always"
    ),
    "createDispute": TestCard("visa", "0259", is_disputed=True),
}
CARDS = {f"pm_card_{name}": card for name, card in _PLAIN.items()}
