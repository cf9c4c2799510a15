"""Disputes: what banks take back of a payment, and what they return.

A dispute's row holds the money that has moved so far, and the ledger follows it: a withdrawal takes the credits back, a
reinstatement returns them. Both only grow, so it does not matter in which order, how late or how often we hear of it.
"""

from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F

from accounts import events
from accounts.lib.money import rounded
from billing import clock
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import Dispute, LedgerEntry, Payment
from billing.payments import gateways, intents, notices, rounds, settling
from billing.payments.gateways import DisputeState, Gateway
from billing.payments.minor_units import Money

log = structlog.get_logger()

Kind = LedgerEntry.Kind
STATUSES = {
    DisputeState.INQUIRY: Dispute.Status.INQUIRY,
    DisputeState.OPEN: Dispute.Status.OPEN,
    DisputeState.WON: Dispute.Status.WON,
    DisputeState.LOST: Dispute.Status.LOST,
    DisputeState.CLOSED: Dispute.Status.CLOSED,
}


def observe(answer: gateways.Dispute, gateway: Gateway, now: datetime) -> Dispute | None:
    """Bring our row and the ledger up to what the gateway shows of a dispute. None if the payment isn't one of ours.

    `PaymentNotSettled` if its payment is still open: its credits have to be there before they are taken back.
    """
    payment = intents.paid(answer.intent, gateway)
    if payment is None:
        return None
    now = clock.at(payment.organization, now)
    with transaction.atomic():
        settling.lock(payment.pk)
        row, is_new = Dispute.objects.select_for_update().get_or_create(
            gateway_reference=answer.id,
            defaults={
                "payment": payment,
                "reason": answer.reason[:60],
                "total": answer.money.amount,
                "created_at": answer.created_at,
            },
        )
        if is_new:
            _tell(row, "dispute.created", now)
        _move(row, answer, now)
        _change_status(row, STATUSES[answer.state], now)
        row.save()
    return row


def _move(row: Dispute, answer: gateways.Dispute, now: datetime) -> None:
    """What was withdrawn or reinstated since we last looked. An answer that is older than another changes nothing."""
    payment = row.payment
    if answer.money.currency != payment.currency:
        notices.alarm(
            "A dispute is in another currency than its payment",
            f"{row.public_id} of {payment.public_id}: its credits are taken in proportion.",
            dispute=row.public_id,
        )
    withdrawn, reinstated = (Money(minor, answer.money.currency) for minor in (answer.withdrawn, answer.reinstated))
    if withdrawn.amount > row.withdrawn_total:
        row.withdrawn_total = withdrawn.amount
        taken = _credits(payment, answer, withdrawn) - row.withdrawn
        row.withdrawn += taken
        _withdraw(row, taken, withdrawn, now)
    if reinstated.amount > row.reinstated_total:
        row.reinstated_total = reinstated.amount
        returned = _credits(payment, answer, reinstated) - row.reinstated
        row.reinstated += returned
        _reinstate(row, returned, reinstated, now)


def _credits(payment: Payment, answer: gateways.Dispute, money: Money) -> Decimal:
    """The credits of this money: all of them for the payment's total, in proportion for a part, without the tax.

    In another currency, the sum that is disputed stands for the payment's total.
    """
    total = payment.total if money.currency == payment.currency else answer.money.amount
    return rounded(payment.amount * money.amount / total)


def _withdraw(row: Dispute, amount: Decimal, money: Money, now: datetime) -> None:
    payment = row.payment
    purchase = LedgerEntry.objects.filter(
        account=payment.organization_id, idempotency_key=f"payment:{payment.pk.hex}"
    ).first()
    posting.post(
        payment.organization_id,
        kind=Kind.CHARGEBACK,
        amount=-amount,
        now=now,
        description="The payment was disputed",
        reference=payment.public_id,
        idempotency_key=f"dispute:{row.pk.hex}:withdrawn:{money.minor}",
        own_lot=purchase.seq if purchase else None,
    )
    Payment.objects.filter(pk=payment.pk).update(disputed=F("disputed") + amount)
    rounds.after_chargeback(payment.organization_id, now)
    _tell(row, "dispute.funds_withdrawn", now)
    organization = payment.organization
    page = f"{settings.BASE_URL}/admin/billing/payment/{payment.pk}/change/"
    notices.alarm(
        "A bank took a payment back",
        f"{money.amount} {money.currency} of {payment.public_id} ({organization}), reason: {row.reason}.\n\n{page}",
        dispute=row.public_id,
        payment=payment.public_id,
    )


def _reinstate(row: Dispute, amount: Decimal, money: Money, now: datetime) -> None:
    """Posted as a reversal. It names the chargeback's entry if it takes back exactly that one."""
    payment = row.payment
    entries = LedgerEntry.objects.filter(account=payment.organization_id)
    chargeback = entries.filter(idempotency_key__startswith=f"dispute:{row.pk.hex}:withdrawn:", amount=-amount).first()
    is_reversed = chargeback and entries.filter(reverses_seq=chargeback.seq).exists()
    posting.post(
        payment.organization_id,
        kind=Kind.REVERSAL,
        amount=amount,
        now=now,
        description="The money of a dispute came back",
        reference=payment.public_id,
        idempotency_key=f"dispute:{row.pk.hex}:reinstated:{money.minor}",
        reverses_seq=chargeback.seq if chargeback and not is_reversed else None,
        lot=Lot(),
    )
    Payment.objects.filter(pk=payment.pk).update(disputed=F("disputed") - amount)
    _tell(row, "dispute.funds_reinstated", now)


def _change_status(row: Dispute, status: Dispute.Status, now: datetime) -> None:
    """An older answer doesn't open it again. A lost one may still be won."""
    is_older = row.status not in Dispute.UNDECIDED and status in Dispute.UNDECIDED
    if row.status == status or is_older:
        return
    row.status = status
    if status not in Dispute.UNDECIDED:
        row.closed_at = now
        _tell(row, "dispute.closed", now)


def _tell(row: Dispute, type: str, now: datetime) -> None:
    payment = row.payment
    data = {
        "dispute": row.public_id,
        "payment": payment.public_id,
        "status": row.status,
        "reason": row.reason,
        "total": row.total,
        "currency": payment.currency,
        "withdrawn": row.withdrawn,
        "reinstated": row.reinstated,
    }
    events.record(payment.organization_id, type, data, now, targets=[row.public_id, payment.public_id])
