"""Messages about payments."""

from django.contrib import messages
from django.http import HttpRequest

from billing.models import Payment, PaymentMethod
from billing.templatetags.money import amount, money

REASONS = {
    "card_declined": "the bank declined the card",
    "insufficient_funds": "there is not enough money on the card",
    "lost_card": "the bank declined the card",  # don't reveal that it was reported
    "expired_card": "the card has expired",
    "incorrect_cvc": "the card's security code is wrong",
    "processing_error": "the bank could not process the charge",
}


def card_name(card: PaymentMethod) -> str:
    return f"{card.brand.title()} ending in {card.last4}"


def reason(payment: Payment) -> str:
    return REASONS.get(payment.failure_code, "the bank declined the card")


def tell(request: HttpRequest, payment: Payment) -> None:
    price = money(payment.total, payment.currency)
    match payment.status:
        case Payment.Status.SUCCEEDED if payment.purpose == Payment.Purpose.INVOICE:
            messages.success(request, f"The invoice is paid: {price}.")
        case Payment.Status.SUCCEEDED:
            messages.success(request, f"You bought {amount(payment.amount)} credits for {price}.")
        case Payment.Status.FAILED:
            card = f" ({card_name(payment.method)})" if payment.method else ""
            messages.error(request, f"Nothing was charged: {reason(payment)}{card}. Try another card.")
        case Payment.Status.ACTION_REQUIRED:
            messages.warning(request, f"Your bank wants you to confirm the payment of {price}. See below.")
        case _:
            messages.info(request, f"Your payment of {price} is being processed. The credits appear when it succeeds.")
