"""Disputes: money of a payment that banks take back, and return.

A dispute's row holds the money that has moved so far, and the ledger follows it: a withdrawal takes the credits back, a
reinstatement returns them. Both only grow, so it doesn't matter in which order, how late or how often we hear of it.

Credits move once: if an operator has reversed the purchase before, a withdrawal takes none; if an operator has reversed
the withdrawal's entry, a reinstatement returns only the rest. A dispute that is lost is a refund that the bank made, so
its money gets a credit note.
"""

from datetime import datetime
from decimal import Decimal

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, Sum

from accounts import events
from accounts.lib.money import ZERO, rounded
from billing import clock
from billing.invoicing import settlement, tax
from billing.ledger import posting
from billing.ledger.lots import Lot
from billing.models import Dispute, LedgerEntry, Payment
from billing.payments import gateways, intents, notices, refunds, rounds, settling
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
        settlement.after_dispute(row, _lost(row, answer), now)
        row.save()
    return row


def _move(row: Dispute, answer: gateways.Dispute, now: datetime) -> None:
    """Post what was withdrawn or reinstated since the last time. An outdated answer changes nothing."""
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
        _withdraw(row, _credits(payment, answer, withdrawn) - row.withdrawn, withdrawn, now)
    if reinstated.amount > row.reinstated_total:
        row.reinstated_total = reinstated.amount
        _reinstate(row, _credits(payment, answer, reinstated) - row.reinstated, reinstated, now)


def _credits(payment: Payment, answer: gateways.Dispute, money: Money) -> Decimal:
    """The credits of this money: all of them for the payment's total, in proportion for a part, without the tax."""
    return rounded(payment.amount * money.amount / _whole(payment, answer))


def _whole(payment: Payment, answer: gateways.Dispute) -> Decimal:
    """The payment's total in the dispute's currency. If the currencies differ, the disputed amount is used instead."""
    return payment.total if answer.money.currency == payment.currency else answer.money.amount


def _lost(row: Dispute, answer: gateways.Dispute) -> Decimal:
    """The money, in the payment's currency, that a dispute has taken for good; 0 while that is not decided."""
    if row.status != Dispute.Status.LOST:
        return ZERO
    payment = row.payment
    share = payment.total * (row.withdrawn_total - row.reinstated_total) / _whole(payment, answer)
    return tax.rounded(share, payment.currency)


def _withdraw(row: Dispute, amount: Decimal, money: Money, now: datetime) -> None:
    payment = row.payment
    purchase = refunds.purchase_of(payment)
    if purchase is None or not refunds.reversal_of(purchase):
        _take(row, amount, money, purchase, now)
    rounds.after_chargeback(payment.organization_id, now)
    _tell(row, "dispute.funds_withdrawn", now)
    page = f"{settings.BASE_URL}/admin/billing/payment/{payment.pk}/change/"
    sums = f"{money.amount} {money.currency} of {payment.public_id} ({payment.organization})"
    notices.alarm(
        "A bank took a payment back",
        f"{sums}, reason: {row.reason}.\n\n{page}",
        dispute=row.public_id,
        payment=payment.public_id,
    )


def _take(row: Dispute, amount: Decimal, money: Money, purchase: LedgerEntry | None, now: datetime) -> None:
    """The credits of a withdrawal. The purchase's own lot is burnt first."""
    payment = row.payment
    posting.post(
        payment.organization_id,
        kind=Kind.CHARGEBACK,
        amount=-amount,
        now=now,
        description="The payment was disputed",
        reference=payment.public_id,
        idempotency_key=f"{_key(row)}:withdrawn:{money.minor}",
        own_lot=purchase.seq if purchase else None,
    )
    row.withdrawn += amount
    Payment.objects.filter(pk=payment.pk).update(disputed=F("disputed") + amount)


def _reinstate(row: Dispute, amount: Decimal, money: Money, now: datetime) -> None:
    """Never more than the withdrawals took, less what operators have returned of it."""
    payment = row.payment
    returned = min(amount, row.withdrawn - row.reinstated)
    row.reinstated += returned
    Payment.objects.filter(pk=payment.pk).update(disputed=F("disputed") - returned)
    posted = min(returned, row.withdrawn - _returned(row))
    if posted > 0:
        _return(row, posted, money, now)
    _tell(row, "dispute.funds_reinstated", now)


def _returned(row: Dispute) -> Decimal:
    """What reversals have returned so far, ours and those of operators."""
    entries = LedgerEntry.objects.filter(account=row.payment.organization_id)
    withdrawals = entries.filter(idempotency_key__startswith=f"{_key(row)}:withdrawn:")
    ours = Q(idempotency_key__startswith=f"{_key(row)}:reinstated:")
    reversals = entries.filter(ours | Q(reverses_seq__in=withdrawals.values("seq")))
    return Decimal(reversals.aggregate(sum=Sum("amount"))["sum"] or ZERO)


def _return(row: Dispute, amount: Decimal, money: Money, now: datetime) -> None:
    """Posted as a reversal. It names the chargeback's entry if it takes back exactly that one."""
    payment = row.payment
    entries = LedgerEntry.objects.filter(account=payment.organization_id)
    chargeback = entries.filter(idempotency_key__startswith=f"{_key(row)}:withdrawn:", amount=-amount).first()
    is_reversed = chargeback and entries.filter(reverses_seq=chargeback.seq).exists()
    posting.post(
        payment.organization_id,
        kind=Kind.REVERSAL,
        amount=amount,
        now=now,
        description="The money of a dispute came back",
        reference=payment.public_id,
        idempotency_key=f"{_key(row)}:reinstated:{money.minor}",
        reverses_seq=chargeback.seq if chargeback and not is_reversed else None,
        lot=Lot(),
    )


def _key(row: Dispute) -> str:
    """The beginning of the ledger's keys of a dispute."""
    return f"dispute:{row.pk.hex}"


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
