"""Messages about payments."""

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext, gettext_lazy

from billing.models import Payment, PaymentMethod
from billing.templatetags.money import amount, money

REASONS = {
    "card_declined": gettext_lazy("the bank declined the card"),
    "insufficient_funds": gettext_lazy("there is not enough money on the card"),
    "lost_card": gettext_lazy("the bank declined the card"),  # don't reveal that it was reported
    "expired_card": gettext_lazy("the card has expired"),
    "incorrect_cvc": gettext_lazy("the card's security code is wrong"),
    "processing_error": gettext_lazy("the bank could not process the charge"),
}


def card_name(card: PaymentMethod) -> str:
    return gettext("%(brand)s ending in %(last4)s") % {"brand": card.brand.title(), "last4": card.last4}


def reason(payment: Payment) -> str:
    return str(REASONS.get(payment.failure_code, REASONS["card_declined"]))


def tell(request: HttpRequest, payment: Payment) -> None:
    facts = {"price": money(payment.total, payment.currency), "amount": amount(payment.amount)}
    match payment.status:
        case Payment.Status.SUCCEEDED if payment.purpose == Payment.Purpose.INVOICE:
            messages.success(request, gettext("The invoice is paid: %(price)s.") % facts)
        case Payment.Status.SUCCEEDED:
            messages.success(request, gettext("You bought %(amount)s credits for %(price)s.") % facts)
        case Payment.Status.FAILED if payment.was_canceled:
            messages.info(request, gettext("The payment was canceled. Nothing was charged."))
        case Payment.Status.FAILED:
            card = f" ({card_name(payment.method)})" if payment.method else ""
            why = {"reason": f"{reason(payment)}{card}"}
            messages.error(request, gettext("Nothing was charged: %(reason)s. Try another card.") % why)
        case Payment.Status.ACTION_REQUIRED:
            messages.warning(
                request, gettext("Your bank wants you to confirm the payment of %(price)s. See below.") % facts
            )
        case _:
            text = gettext("Your payment of %(price)s is being processed. The credits appear when it succeeds.")
            messages.info(request, text % facts)
