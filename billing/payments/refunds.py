"""Giving money back to a card, and taking its credits back.

The ledger entry and the row are one transaction; then the gateway is called. If the gateway refuses, or the money does
not arrive, the entry is reversed. A refund that was made at the gateway gets its row and entry when we hear of it.

If an operator has reversed the purchase before, its credits are gone already: that reversal is then the refund's entry.
"""

from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from django.db import transaction
from django.db.models import F, Q, Sum

from accounts import events
from accounts.lib.money import ZERO, rounded
from accounts.lib.problems import Conflict
from billing import clock
from billing.invoicing import papers
from billing.ledger import lots, posting
from billing.models import Grant, LedgerEntry, Payment, Refund
from billing.payments import minor_units

Status = Refund.Status
GRACE = timedelta(minutes=1)


class NotRefundable(Conflict):
    """The amount is more than is left of the payment, or of its credits; or nothing was paid."""

    code = "not_refundable"
    detail = "That is more than is left to refund."


@transaction.atomic
def begin(payment: Payment, *, reason: str, actor: str, amount: Decimal | None = None, force: bool = False) -> Refund:
    """Take the credits back and commit a pending refund. Without an `amount` it is all that is left of the payment.

    `NotRefundable` if that is more than is left of the payment, or, unless `force`, of the credits that it bought. With
    `force` the balance may go below zero.
    """
    now = clock.now(payment.organization)
    posting.lock([payment.organization_id], now)
    payment = Payment.objects.select_related("organization", "invoice__organization").get(pk=payment.pk)
    left = payment.amount - payment.refunded - payment.disputed
    amount = left_of(payment) if amount is None else amount
    purchase = purchase_of(payment)
    if payment.status != Payment.Status.SUCCEEDED or purchase is None:
        raise NotRefundable("Only a payment that succeeded is refunded.")
    if amount > left or amount <= 0:
        raise NotRefundable(left=left)
    if not (force or reversal_of(purchase)):
        _check_unspent(payment, purchase, amount)
    total = _total(payment, amount)
    _check_credited(payment, total)
    terms = {"amount": amount, "total": total, "reason": reason, "actor": actor}
    return take_back(payment, purchase, {**terms, "next_attempt_at": now + GRACE})


def left_of(payment: Payment) -> Decimal:
    """The credits of a payment that neither a refund, a dispute nor a credit note has given back."""
    left = Decimal(payment.amount - payment.refunded - payment.disputed)
    if payment.invoice is None or left <= 0:
        return left
    money = papers.left(payment.invoice) - _pending(payment)
    return left if _total(payment, left) <= money else rounded(max(money, ZERO) * payment.amount / payment.total)


def take_back(payment: Payment, purchase: LedgerEntry, terms: dict[str, Any]) -> Refund:
    """Post the entry and make the row. The purchase's own lot is burnt first."""
    now = clock.now(payment.organization)
    reversal = reversal_of(purchase)
    seq = reversal.seq if reversal else _post(payment, purchase, terms, now)
    Payment.objects.filter(pk=payment.pk).update(refunded=F("refunded") + terms["amount"])
    refund = Refund.objects.create(payment=payment, entry_seq=seq, created_at=now, **terms)
    tell(refund, "refund.created")
    return refund


def _post(payment: Payment, purchase: LedgerEntry, terms: dict[str, Any], now: datetime) -> int:
    return posting.post(
        payment.organization_id,
        kind=LedgerEntry.Kind.REFUND,
        amount=-terms["amount"],
        now=now,
        description=terms["reason"],
        reference=payment.public_id,
        actor=terms["actor"],
        own_lot=purchase.seq,
    ).seq


def purchase_of(payment: Payment) -> LedgerEntry | None:
    """The entry that credited a payment."""
    key = f"payment:{payment.pk.hex}"
    return LedgerEntry.objects.filter(account=payment.organization_id, idempotency_key=key).first()


def reversal_of(purchase: LedgerEntry) -> LedgerEntry | None:
    """The entry by which an operator has taken a purchase back."""
    return LedgerEntry.objects.filter(account=purchase.account_id, reverses_seq=purchase.seq).first()


def _check_unspent(payment: Payment, purchase: LedgerEntry, amount: Decimal) -> None:
    unspent = _left_of_lots(payment, purchase)
    if amount > unspent:
        raise NotRefundable("The credits are spent already.", left=unspent)


def _left_of_lots(payment: Payment, purchase: LedgerEntry) -> Decimal:
    """What is left of the credits that a purchase brought, and of those that came back when a refund failed."""
    lots.allot(purchase.account_id)
    entries = LedgerEntry.objects.filter(account=purchase.account_id)
    came_back = entries.filter(reverses_seq__in=payment.refunds.values("entry_seq")).values("seq")
    of_purchase = Q(entry_seq=purchase.seq) | Q(entry_seq__in=came_back)
    own = Grant.objects.filter(of_purchase, account=purchase.account_id)
    return Decimal(own.aggregate(left=Sum("remaining"))["left"] or ZERO)


def _total(payment: Payment, amount: Decimal) -> Decimal:
    """The money of these credits, with their share of the tax.

    The sum of all refunds is rounded, and not each one alone: so many small ones pay back no more than a large one.
    """
    earlier = sum((refund.total for refund in payment.refunds.exclude(status=Status.FAILED)), Decimal(0))
    places = Decimal(1).scaleb(-minor_units.decimals(payment.currency))
    share = (payment.refunded + amount) * payment.total / payment.amount
    total: Decimal = share.quantize(places, ROUND_HALF_EVEN) - earlier
    if not 0 < total <= payment.total - earlier:
        raise NotRefundable("This amount can't be paid back in the currency.")
    return total


def _check_credited(payment: Payment, total: Decimal) -> None:
    """Refuse what a credit note of an operator gave back already, as credits."""
    if payment.invoice is None:
        return
    if total > papers.left(payment.invoice) - _pending(payment):
        raise NotRefundable("A credit note has given that back already.", left=left_of(payment))


def _pending(payment: Payment) -> Decimal:
    return payment.refunds.filter(status=Status.PENDING).aggregate(total=Sum("total"))["total"] or ZERO


def tell(refund: Refund, type: str) -> None:
    payment = refund.payment
    data = {
        "refund": refund.public_id,
        "payment": payment.public_id,
        "amount": refund.amount,
        "total": refund.total,
        "currency": payment.currency,
        "reason": refund.reason,
        "actor": refund.actor,
    }
    now = clock.now(payment.organization)
    events.record(payment.organization_id, type, data, now, targets=[refund.public_id, payment.public_id])
