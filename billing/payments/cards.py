"""What happens to a card after it was saved: its bank declines it for good, its network renews it, or it expires."""

from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext_noop

from accounts import events
from billing import clock
from billing.invoicing import unpaid
from billing.models import Payment, PaymentMethod
from billing.models.payments import EXPIRING
from billing.payments import notices, rounds
from billing.payments.gateways import Card

Purpose = Payment.Purpose
SWEEP_SIZE = 500
RENEWABLE = "expired_card"  # a decline that a new expiry date puts right
DELETED = "customer_deleted"  # the card is gone at the gateway, with its customer


def mark_declined(method: PaymentMethod, code: str) -> None:
    """Don't charge this card again by ourselves: its bank said never to, or it is gone at the gateway."""
    if PaymentMethod.objects.filter(pk=method.pk, declined_code="").update(declined_code=code):
        tell(method, "payment_method.declined", clock.now(method.organization), code=code)


def mark_good(method: PaymentMethod) -> bool:
    """Its owner paid with it, so it may be charged by ourselves again, if it is still at the gateway. True if it was
    marked."""
    marked = PaymentMethod.objects.filter(pk=method.pk).exclude(declined_code__in=("", DELETED))
    return bool(marked.update(declined_code=""))


def mark_as_before(method: PaymentMethod) -> None:
    """A new row of a card that was declined for good, and maybe removed since, has the same mark."""
    same = ("organization", "fingerprint", "exp_year", "exp_month")
    earlier = PaymentMethod.objects.filter(**{name: getattr(method, name) for name in same})
    last = earlier.exclude(declined_code=DELETED).order_by("-created_at", "-pk").first()
    method.declined_code = last.declined_code if last else ""


def take_up(method: PaymentMethod, now: datetime) -> None:
    """The card can be charged from now on: whatever waits for another card, and may charge this one, goes on.

    Under the payer's lock.
    """
    if _is_charged_for(Purpose.RECHARGE, method, now):
        rounds.lift_for(method, now)
    if _is_charged_for(Purpose.INVOICE, method, now):
        unpaid.charge_new_card(method, now)


def _is_charged_for(purpose: str, method: PaymentMethod, now: datetime) -> bool:
    return method in PaymentMethod.objects.chargeable(method.organization, purpose, now.date())


def renew(method: PaymentMethod, card: Card, now: datetime) -> None:
    """Write down what the gateway shows of a card now. Under the payer's lock."""
    shown = {"brand": card.brand, "last4": card.last4, "exp_month": card.exp_month, "exp_year": card.exp_year}
    shown |= {"fingerprint": card.fingerprint} if card.fingerprint else {}
    if all(getattr(method, name) == value for name, value in shown.items()):
        return
    was_chargeable, before = method.is_chargeable_on(now.date()), method.fingerprint
    for name, value in shown.items():
        setattr(method, name, value)
    is_renewed = method.declined_code == RENEWABLE and method.last_day >= now.date()
    if is_renewed:
        method.declined_code = ""
    method.save(update_fields=[*shown, "declined_code"])
    tell(method, "payment_method.updated", now, exp_month=method.exp_month, exp_year=method.exp_year)
    if was_chargeable and before == method.fingerprint:
        return
    if is_renewed and _is_charged_for(Purpose.RECHARGE, method, now):
        rounds.lift_declined(method.organization_id, now)
    take_up(method, now)


def announce_expiring(now: datetime) -> int:
    """Tell the owners of cards that expire within 30 days, once for each expiry date. Returns how many were told."""
    last = now.date() + EXPIRING
    ends_by_then = Q(exp_year__lt=last.year) | Q(exp_year=last.year, exp_month__lte=last.month)
    still_good = Q(exp_year__gt=now.year) | Q(exp_year=now.year, exp_month__gte=now.month)
    cards = PaymentMethod.objects.filter(ends_by_then, still_good, removed_at=None, declined_code="")
    # A card is announced again after it was renewed: then its month is another one.
    cards = cards.exclude(expiry_announced__year=F("exp_year"), expiry_announced__month=F("exp_month"))
    # Soonest first, so that those of the next month, which are not due yet, don't fill the sweep.
    soonest = cards.select_related("organization").order_by("exp_year", "exp_month")[:SWEEP_SIZE]
    due = [card for card in soonest if card.last_day < last]
    return sum(_announce(card, now) for card in due)


@transaction.atomic
def _announce(method: PaymentMethod, now: datetime) -> bool:
    """There's a race here: of two sweeps, the one whose update changes the row tells the owner."""
    unannounced = PaymentMethod.objects.filter(pk=method.pk).exclude(expiry_announced=method.last_day)
    if not unannounced.update(expiry_announced=method.last_day):
        return False
    tell(method, "payment_method.expiring", now, exp_month=method.exp_month, exp_year=method.exp_year)
    page = f"{settings.BASE_URL}/o/{method.organization.public_id}/credits/"
    facts = {"brand": method.brand.title(), "last4": method.last4, "day": method.last_day}
    body = gettext_noop("Your card (%(brand)s ending in %(last4)s) works until %(day)s. Add another one before that:")
    notices.mail(method.organization_id, gettext_noop("A card on file expires soon"), body, page=page, **facts)
    return True


def tell(method: PaymentMethod, type: str, now: datetime, **data: Any) -> None:
    described = {"payment_method": method.public_id, "brand": method.brand, "last4": method.last4, **data}
    events.record(method.organization_id, type, described, now, targets=[method.public_id])
