"""What auto-recharge does when a payment ends. Called under the payer's lock, in the transaction that settles it.

A round tries the recharge's card, then the backup. After a failed round the next waits 1 and 6 hours; after three in a
row, or once no card is left that could be charged, auto-recharge is paused until its owner does something about it.
Only a bank's decline makes a round fail: after a charge that was canceled or refused, the next one waits an hour.
"""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings as installation
from django.db.models import Max
from django.utils.translation import gettext_noop

from accounts import events
from accounts.lib import identifiers
from accounts.models import Organization
from billing.invoicing import unpaid
from billing.models import AutoRecharge, Payment, PaymentMethod
from billing.payments import notices, payment_events

WAITS = (timedelta(hours=1), timedelta(hours=6), timedelta(hours=24))
FREQUENT = 3  # recharges in an hour
CHARGEBACK = "chargeback"
PAUSED = {
    "declined": gettext_noop("Paused: the card was declined. Add another card, or try again."),
    "action_required": gettext_noop(
        "Paused: a payment was not confirmed at the bank in time. Add another card, or try again."
    ),
    CHARGEBACK: gettext_noop("Paused: a bank took back a payment that was disputed. Buy credits, or try again."),
}


def lift(organization_id: UUID, now: datetime) -> None:
    """Forget failed rounds: another card is there, or its owner tries again."""
    settings = AutoRecharge.objects.filter(organization=organization_id).first()
    if settings is None or not (settings.failed_rounds or settings.next_attempt_at or settings.paused):
        return
    if settings.paused:
        events.record(organization_id, "auto_recharge.resumed", {"reason": settings.paused}, now)
    settings.failed_rounds, settings.next_attempt_at, settings.paused = 0, None, ""
    settings.save(update_fields=["failed_rounds", "next_attempt_at", "paused"])


def lift_for(card: PaymentMethod, now: datetime) -> None:
    """Another card can be charged."""
    if is_untried(card.organization, card):
        _lift_unless_charged_back(card.organization_id, now)


def _lift_unless_charged_back(organization_id: UUID, now: datetime) -> None:
    """As `lift`, but not a pause after a bank took a payment back: it might take the next one back as well."""
    if not AutoRecharge.objects.filter(organization=organization_id, paused=CHARGEBACK).exists():
        lift(organization_id, now)


def lift_declined(organization_id: UUID, now: datetime) -> None:
    """The reason why the card was declined is gone."""
    if not AutoRecharge.objects.filter(organization=organization_id).exclude(paused__in=("", "declined")).exists():
        lift(organization_id, now)


def wants_another(organization: Organization) -> bool:
    """Whether it is paused because its card was not confirmed at the bank in time."""
    return AutoRecharge.objects.of(organization).filter(enabled=True, paused="action_required").exists()


def after_authentication(organization_id: UUID, now: datetime) -> None:
    """A card was saved again, so its owner has authenticated it. That ends a pause for a missing authentication."""
    if AutoRecharge.objects.filter(organization=organization_id, paused="action_required").exists():
        lift(organization_id, now)


def is_waiting(organization: Organization) -> bool:
    """Whether the last round failed, and the next one waits or never comes by itself."""
    return AutoRecharge.objects.of(organization).filter(enabled=True, failed_rounds__gt=0).exists()


def is_untried(organization: Organization, card: PaymentMethod) -> bool:
    """Whether it is another card than those with which recharges failed since a payment last succeeded.

    A card that was removed and added again has the fingerprint that it had.
    """
    payments = Payment.objects.of(organization)
    success = payments.filter(status=Payment.Status.SUCCEEDED).aggregate(at=Max("settled_at"))["at"]
    failed = payments.filter(purpose=Payment.Purpose.RECHARGE, status=Payment.Status.FAILED)
    tried = failed.filter(settled_at__gt=success) if success else failed
    return not tried.filter(method__fingerprint=card.fingerprint).exists()


def chargeable_card(settings: AutoRecharge, now: datetime) -> PaymentMethod | None:
    """The recharge's own card, then the default and the backup: the first of them that can be charged."""
    cards = PaymentMethod.objects.chargeable(settings.organization, Payment.Purpose.RECHARGE, now.date())
    return next(iter(cards), None)


def after_success(payment: Payment, now: datetime, *, by_owner: bool) -> None:
    """A paid purchase lifts a pause. After a chargeback it has to be the owner's, and not one that we began by
    ourselves. Three recharges in an hour advise a larger amount.
    """
    if by_owner:
        lift(payment.organization_id, now)
    else:
        _lift_unless_charged_back(payment.organization_id, now)
    if payment.purpose != Payment.Purpose.RECHARGE:
        return
    recharges = Payment.objects.of(payment.organization).filter(purpose=Payment.Purpose.RECHARGE)
    recent = recharges.filter(status=Payment.Status.SUCCEEDED, settled_at__gt=now - timedelta(hours=1)).count()
    if recent == FREQUENT:
        events.record(
            payment.organization_id, "auto_recharge.frequent", {"recharges": recent}, now, actor=events.SYSTEM
        )


def after_failure(payment: Payment, now: datetime, *, declined: bool, lapsed: bool, hard: bool) -> None:
    """After a bank's decline, try the backup card in the same round; otherwise the round has failed.

    `lapsed`: its owner did not authenticate. `hard`: the bank said never to charge the card again.
    """
    settings = AutoRecharge.objects.filter(organization=payment.organization_id, enabled=True).first()
    is_recharge = payment.purpose == Payment.Purpose.RECHARGE and settings is not None
    is_dunning = payment.invoice is not None and payment.created_by == unpaid.DUNNING
    if not (is_recharge or is_dunning):  # Its owner made the payment, and sees what came of it.
        return
    may_go_on = declined and not lapsed and (is_dunning or payment.organization.is_operational)
    backup = _backup(payment, now) if may_go_on and not payment.replaces_id else None
    if backup:
        _try(backup, payment, now)
    elif payment.invoice:
        unpaid.declined(payment.invoice, now, hard=hard)
    elif settings:
        _fail(settings, now, declined=declined, lapsed=lapsed, hard=hard)


def _fail(settings: AutoRecharge, now: datetime, *, declined: bool, lapsed: bool, hard: bool) -> None:
    """A round of auto-recharge has failed."""
    if lapsed:
        _pause(settings, "action_required", now)
    elif not declined:
        settings.next_attempt_at = now + WAITS[0]
        settings.save(update_fields=["next_attempt_at"])
    else:
        _fail_round(settings, now, hard=hard)


def _fail_round(settings: AutoRecharge, now: datetime, *, hard: bool) -> None:
    """A card that was declined for good ends it only if there is no other that could be charged."""
    settings.failed_rounds += 1
    if settings.failed_rounds >= len(WAITS) or (hard and chargeable_card(settings, now) is None):
        _pause(settings, "declined", now)
        return
    settings.next_attempt_at = now + WAITS[settings.failed_rounds - 1]
    settings.save(update_fields=["failed_rounds", "next_attempt_at"])
    if settings.failed_rounds == 1:
        body = gettext_noop("Your card was declined. The next try is at %(next)s.")
        subject = gettext_noop("Auto-recharge: your card was declined")
        _mail(settings, subject, body, next=settings.next_attempt_at)


def after_chargeback(organization_id: UUID, now: datetime) -> None:
    """A bank took back the money of a payment: nothing is charged before its owner does something about it."""
    settings = AutoRecharge.objects.filter(organization=organization_id, enabled=True).first()
    if settings and settings.paused != CHARGEBACK:
        _pause(settings, CHARGEBACK, now)


def _backup(payment: Payment, now: datetime) -> PaymentMethod | None:
    """The backup card, if it is another card and can be charged."""
    cards = PaymentMethod.objects.chargeable(payment.organization, payment.purpose, now.date())
    backup = next((card for card in cards if card.is_backup), None)
    if backup is None or payment.method is None or backup.fingerprint == payment.method.fingerprint:
        return None
    return backup


def _try(backup: PaymentMethod, declined: Payment, now: datetime) -> None:
    """The same charge with another card is a payment of its own. The sweep takes it up."""
    payment = Payment.objects.create(
        pk=identifiers.uuid7(),
        organization=declined.organization,
        purpose=declined.purpose,
        method=backup,
        gateway=backup.gateway,
        replaces=declined,
        invoice=declined.invoice,
        amount=declined.amount,
        tax=declined.tax,
        taxes=declined.taxes,
        currency=declined.currency,
        created_by=declined.created_by,
        created_at=Payment.objects.next_moment(declined.organization, now),
        next_attempt_at=now,
    )
    payment_events.record(payment, "payment.created", now)


def _pause(settings: AutoRecharge, reason: str, now: datetime) -> None:
    settings.paused = reason
    settings.save(update_fields=["paused", "failed_rounds"])
    events.record(settings.organization_id, "auto_recharge.paused", {"reason": reason}, now, actor=events.SYSTEM)
    _mail(settings, gettext_noop("Auto-recharge is paused"), PAUSED[reason])


def _mail(settings: AutoRecharge, subject: str, body: str, **facts: Any) -> None:
    page = f"{installation.BASE_URL}/o/{settings.organization.public_id}/credits/"
    notices.mail(settings.organization_id, subject, body, page=page, **facts)
