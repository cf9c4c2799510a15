"""The payment behind an intent, which an event, a poll, the daily comparison, a refund or a dispute names."""

from collections.abc import Mapping

import structlog

from accounts.lib import identifiers
from billing.models import Payment
from billing.payments import payments, settling
from billing.payments.gateways import Gateway, Intent, IntentState

log = structlog.get_logger()

Status = Payment.Status


class PaymentNotSettled(Exception):
    """The gateway has the money of a payment that is still open here."""


def observe(intent: Intent, gateway: Gateway) -> Payment | None:
    """Settle the payment of an intent, as the gateway shows it now. None if the intent isn't one of ours.

    There's a race here: we may hear of an intent before the call that made it has stored its id. Then its metadata
    names the payment.
    """
    payment = _payment_of(intent, gateway)
    if payment is None:
        return None
    if payment.intent not in ("", intent.id):
        if intent.received:
            log.error("a second intent of a payment was paid", payment=payment.public_id, intent=intent.id)
        return payment
    if payment.is_open and payment.session:  # A decline on the page is no end, so its session decides.
        return payments.complete(payment.pk)
    if payment.is_open and intent.state not in (IntentState.CREATED, IntentState.PROCESSING):
        payments.remember(payment, intent.id)
        return payments.follow(payment, gateway, intent)
    if payment.status == Status.FAILED and intent.state in (IntentState.CREATED, IntentState.ACTION_REQUIRED):
        intent = gateway.cancel(intent.id)  # We gave it up, so it may not succeed later.
    if intent.state == IntentState.SUCCEEDED:
        return settling.settle(payment.pk, intent)
    return payment


def paid(intent_id: str, gateway: Gateway) -> Payment | None:
    """The payment of an intent that was paid, settled first if it is still open. None if it isn't one of ours.

    Charges that others made in the gateway's account may have no intent: then its id is empty.
    """
    if not intent_id:
        return None
    known = Payment.objects.filter(gateway=gateway.name, intent=intent_id, status=Status.SUCCEEDED).first()
    payment = known or observe(gateway.retrieve(intent_id), gateway)
    if payment and payment.status != Status.SUCCEEDED:
        raise PaymentNotSettled(payment.public_id)
    return payment


def _payment_of(intent: Intent, gateway: Gateway) -> Payment | None:
    known = Payment.objects.filter(gateway=gateway.name, intent=intent.id).select_related("method", "organization")
    return known.first() or named_by(intent.metadata, gateway)


def named_by(metadata: Mapping[str, str] | None, gateway: Gateway) -> Payment | None:
    """The payment that the metadata of a gateway's object names."""
    try:
        id = identifiers.uuid_of((metadata or {}).get("payment", ""), "pay_")
    except ValueError:
        return None
    return Payment.objects.filter(gateway=gateway.name, pk=id).select_related("method", "organization").first()
