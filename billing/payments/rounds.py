"""What a payment's end means for auto-recharge. Called under the payer's lock, in the transaction that settles it.

A round tries the recharge's card, then the backup. After a failed round the next waits 1 and 6 hours; after three in a
row auto-recharge is paused until its owner does something about it. Only a bank's decline makes a round fail: after a
charge that was canceled or refused, the next one waits an hour.
"""

from datetime import datetime, timedelta
from uuid import UUID

from accounts import events
from accounts.lib import identifiers
from billing.models import AutoRecharge, Payment, PaymentMethod

WAITS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
FREQUENT = 3  # recharges in an hour


def lift(organization_id: UUID) -> None:
    """Forget failed rounds: another card is there, or its owner tries again."""
    AutoRecharge.objects.filter(organization=organization_id).update(failed_rounds=0, next_attempt_at=None, paused="")


def after_success(payment: Payment, now: datetime) -> None:
    """Any paid purchase lifts a pause. Three recharges in an hour advise a larger amount."""
    lift(payment.organization_id)
    if payment.purpose != Payment.Purpose.RECHARGE:
        return
    recharges = Payment.objects.of(payment.organization).filter(purpose=Payment.Purpose.RECHARGE)
    recent = recharges.filter(status=Payment.Status.SUCCEEDED, settled_at__gt=now - timedelta(hours=1)).count()
    if recent == FREQUENT:
        events.record(payment.organization_id, "auto_recharge.frequent", {"recharges": recent}, now)


def after_failure(payment: Payment, now: datetime, *, declined: bool, lapsed: bool, hard: bool) -> None:
    """After a bank's decline, try the backup card in the same round; otherwise the round has failed.

    `lapsed`: its owner did not authenticate. `hard`: the bank said never to charge the card again.
    """
    settings = AutoRecharge.objects.filter(organization=payment.organization_id, enabled=True).first()
    if payment.purpose != Payment.Purpose.RECHARGE or settings is None:
        return
    backup = None if lapsed or not declined or payment.replaces_id else _backup(payment, now)
    if backup:
        _try(backup, payment, now)
    elif lapsed:
        _pause(settings, "action_required", now)
    elif not declined:
        settings.next_attempt_at = now + WAITS[0]
        settings.save(update_fields=["next_attempt_at"])
    elif hard or settings.failed_rounds + 1 >= len(WAITS):
        settings.failed_rounds += 1
        _pause(settings, "declined", now)
    else:
        settings.next_attempt_at = now + WAITS[settings.failed_rounds]
        settings.failed_rounds += 1
        settings.save(update_fields=["failed_rounds", "next_attempt_at"])


def _backup(payment: Payment, now: datetime) -> PaymentMethod | None:
    """The backup card, if it is another card and can be charged."""
    backup = PaymentMethod.objects.of(payment.organization).filter(is_backup=True).first()
    if backup is None or payment.method is None or backup.fingerprint == payment.method.fingerprint:
        return None
    return backup if backup.is_chargeable_on(now.date()) else None


def _try(backup: PaymentMethod, declined: Payment, now: datetime) -> None:
    """The same charge with another card is a payment of its own. The sweep takes it up."""
    Payment.objects.create(
        pk=identifiers.uuid7(),
        organization=declined.organization,
        purpose=declined.purpose,
        method=backup,
        gateway=backup.gateway,
        replaces=declined,
        amount=declined.amount,
        tax=declined.tax,
        currency=declined.currency,
        created_by=declined.created_by,
        created_at=max(now, declined.created_at + datetime.resolution),
        next_attempt_at=now,
    )


def _pause(settings: AutoRecharge, reason: str, now: datetime) -> None:
    settings.paused = reason
    settings.save(update_fields=["paused", "failed_rounds"])
    events.record(settings.organization_id, "auto_recharge.paused", {"reason": reason}, now)
