"""Refunds at the gateway: paying them, and following what the gateway shows of them."""

from contextlib import suppress
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import F, Q

from accounts.lib import identifiers
from accounts.lib.money import rounded
from billing import clock
from billing.exceptions import AlreadyReversed, NotReversible
from billing.invoicing import settlement
from billing.ledger import corrections, posting
from billing.models import LedgerEntry, Payment, Refund
from billing.payments import gateways, intents, minor_units, notices, refunds
from billing.payments.gateways import Gateway
from billing.payments.payments import KEY_LIFE, UNKNOWN_FOR

log = structlog.get_logger()

Status = Refund.Status
SWEEP_SIZE = 100
UNKNOWN = "refund_unknown"


def observe(answer: gateways.Refund, gateway: Gateway, now: datetime) -> Refund | None:
    """Bring our row and the ledger up to what the gateway shows of a refund. None if it isn't one of our payments'.

    `PaymentNotSettled` if its payment is still open: its credits have to be there before they are taken back.
    """
    known = _known(answer)
    if known:
        return settle(known.pk, answer)
    payment = intents.paid(answer.intent, gateway)
    if payment is None or answer.state == gateways.RefundState.FAILED:  # Its money has not moved.
        return None
    with transaction.atomic():
        posting.lock([payment.organization_id], clock.at(payment.organization, now))
        refund = _known(answer) or _take_back_elsewhere(payment.pk, answer)
    return settle(refund.pk, answer)


def _known(answer: gateways.Refund) -> Refund | None:
    """There's a race here: we may hear of our own refund before the call that made it has stored its id."""
    try:
        id = identifiers.uuid_of((answer.metadata or {}).get("refund", ""), "re_")
    except ValueError:
        id = None
    return Refund.objects.filter(Q(gateway_reference=answer.id) | Q(pk=id, gateway_reference="")).first()


def _take_back_elsewhere(payment_id: UUID, answer: gateways.Refund) -> Refund:
    """A refund that was made at the gateway: the money is gone, so the credits go too, even if they were spent."""
    payment = Payment.objects.get(pk=payment_id)
    purchase = refunds.purchase_of(payment)
    assert purchase is not None
    money = answer.money.amount
    paid_back = money + sum((refund.total for refund in payment.refunds.exclude(status=Status.FAILED)), Decimal(0))
    amount = rounded(payment.amount * paid_back / payment.total) - payment.refunded
    terms = {"amount": amount, "total": money, "reason": "Refunded at the payment gateway", "actor": ""}
    return refunds.take_back(payment, purchase, {**terms, "gateway_reference": answer.id})


def complete(refund_id: UUID) -> Refund:
    """Tell the gateway to pay a pending refund back. Repeated calls pay once."""
    refund = Refund.objects.select_related("payment__method").get(pk=refund_id)
    if refund.status != Status.PENDING:
        return refund
    try:
        answer = _ask(refund, gateways.named(refund.payment.gateway_name))
    except gateways.GatewayRefused as error:
        is_known = isinstance(error, gateways.UnknownObject) and refund.gateway_reference
        return _miss(refund) if is_known else fail(refund.pk, error.code)
    except gateways.GatewayError:
        return _postpone(refund)
    return settle(refund.pk, answer)


def _ask(refund: Refund, gateway: Gateway) -> gateways.Refund:
    """The gateway's refund: a new one, or the one that an interrupted call made."""
    if refund.gateway_reference:
        return gateway.retrieve_refund(refund.gateway_reference)
    if refund.created_at < clock.now(refund.payment.organization) - KEY_LIFE:
        known = _find(refund, gateway)
        if known:
            return known
    try:
        return gateway.refund(
            intent=refund.payment.intent,
            money=minor_units.money(refund.total, refund.payment.currency),
            metadata={"refund": refund.public_id},
            idempotency_key=f"{refund.pk.hex}:refund",
        )
    except gateways.GatewayRefused:
        known = _find(refund, gateway)  # An earlier call may have paid it, so that nothing is left for this one.
        if known is None:
            raise
        return known


def _find(refund: Refund, gateway: Gateway) -> gateways.Refund | None:
    """The refund with our metadata. The gateway's clock may be behind ours."""
    made = gateway.refunds(refund.created_at - timedelta(hours=1))
    return next((each for each in made if (each.metadata or {}).get("refund") == refund.public_id), None)


@transaction.atomic
def settle(refund_id: UUID, answer: gateways.Refund) -> Refund:
    """Write down what the gateway answered. A refund that failed later is reversed."""
    refund = _lock(refund_id)
    if refund.status == Status.FAILED:
        return refund
    refund.gateway_reference, refund.failure_code = answer.id, ""
    if answer.state == gateways.RefundState.FAILED:
        return _fail(refund, answer.failure_reason or "failed")
    now = clock.now(refund.payment.organization)
    is_pending, is_paid = refund.status == Status.PENDING, answer.state == gateways.RefundState.SUCCEEDED
    if is_pending:
        refund.status = Status.SUCCEEDED if is_paid else Status.PENDING
        refund.next_attempt_at = None if is_paid else now + timedelta(hours=1)
    refund.save()
    if is_pending and is_paid:
        refunds.tell(refund, "refund.succeeded")
        settlement.after_refund(refund, now)
    return refund


@transaction.atomic
def fail(refund_id: UUID, code: str) -> Refund:
    """The gateway refused it: the credits come back."""
    refund = _lock(refund_id)
    return refund if refund.status == Status.FAILED else _fail(refund, code)


def _lock(refund_id: UUID) -> Refund:
    payer = Refund.objects.select_related("payment__organization").get(pk=refund_id).payment.organization
    posting.lock([payer.pk], clock.now(payer))
    related = ("payment__organization", "payment__invoice__organization", "credit_note__organization")
    return Refund.objects.select_related(*related).get(pk=refund_id)


def _fail(refund: Refund, code: str) -> Refund:
    refund.status, refund.failure_code, refund.next_attempt_at = Status.FAILED, code, None
    refund.save()
    payment = refund.payment
    Payment.objects.filter(pk=payment.pk).update(refunded=F("refunded") - refund.amount)
    entry = LedgerEntry.objects.get(account=payment.organization_id, seq=refund.entry_seq)
    with suppress(AlreadyReversed, NotReversible):  # An operator has reversed it, or the purchase before it.
        corrections.reverse(entry, reason=f"The refund failed: {code}", actor="", now=clock.now(payment.organization))
    refunds.tell(refund, "refund.failed")
    settlement.after_failed_refund(refund, clock.now(payment.organization))
    return refund


def _miss(refund: Refund) -> Refund:
    """The gateway doesn't know a refund that it once made: our key is probably of another account.

    It is looked for as long as such a payment is. Then it stays pending, since nobody can say whether it was paid back.
    """
    is_over = clock.now(refund.payment.organization) > refund.created_at + UNKNOWN_FOR
    if is_over or refund.failure_code != UNKNOWN:
        subject = "A refund is not looked for any more" if is_over else "The gateway does not know a refund"
        body = (
            f"{refund.public_id}: the gateway doesn't know {refund.gateway_reference}. Is the key of another account?"
        )
        notices.alarm(subject, body, refund=refund.public_id)
    refund = _postpone(refund)
    changes = {"failure_code": UNKNOWN, **({"next_attempt_at": None} if is_over else {})}
    Refund.objects.filter(pk=refund.pk, status=Status.PENDING).update(**changes)
    refund.refresh_from_db()
    return refund


def _postpone(refund: Refund) -> Refund:
    wait = min(timedelta(minutes=2 ** min(refund.attempts, 6)), timedelta(hours=1))
    again_at = clock.now(refund.payment.organization) + wait
    Refund.objects.filter(pk=refund.pk).update(attempts=F("attempts") + 1, next_attempt_at=again_at)
    log.warning("refund not paid", refund=refund.public_id, attempts=refund.attempts + 1)
    refund.refresh_from_db()
    return refund


def sweep(now: datetime) -> int:
    """Complete the refunds that are due. Returns how many are settled now."""
    due = Refund.objects.filter(status=Status.PENDING, next_attempt_at__lte=now).order_by("?")
    settled = 0
    for refund_id in list(due.values_list("pk", flat=True)[:SWEEP_SIZE]):
        try:
            settled += complete(refund_id).status != Status.PENDING
        except Exception:
            log.exception("refund not settled", refund=refund_id.hex)
    return settled
