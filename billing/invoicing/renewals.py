"""What falls due in a subscription: the trial's mail, a month's grant, the next period, and another try to be paid.

The row says when, in `next_at`. A renewal is an admission: if the credits are not available, auto-recharge gets one
chance to buy them, with no transaction open. Without them the subscription is past due; it is tried again on the days
of `SCHEDULE`, and then ends. If a run is killed and repeated, the result is the same, because periods and their fees
are unique.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_noop

from accounts.lib.money import ZERO
from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing import accounts, clock
from billing.exceptions import NotEnoughCredits
from billing.invoicing import periods, plans, subscriptions
from billing.ledger import posting
from billing.models import LedgerEntry, PaymentMethod, Subscription, SubscriptionPeriod
from billing.models.catalog import Interval
from billing.payments import notices, recharge

log = structlog.get_logger()

Status = Subscription.Status
SCHEDULE = tuple(timedelta(days=days) for days in (1, 3, 5, 7))  # after the first failure
SWEEP_SIZE = 500


class _Unpaid(Exception):
    """The price of the next period is not available."""

    def __init__(self, price: Decimal) -> None:
        super().__init__(price)
        self.price = price


def run(organization: Organization, now: datetime) -> None:
    """Do what is due in the organization's subscription, in order."""
    try:
        _run(organization.pk, now, is_last_try=False)
    except _Unpaid as unpaid:
        recharge.run(organization, now, needed=unpaid.price)
        _run(organization.pk, now, is_last_try=True)


@transaction.atomic
def _run(organization: UUID, now: datetime, *, is_last_try: bool) -> None:
    posting.lock([organization], now)
    subscription = _live(organization)
    while subscription and (subscription.next_at is None or subscription.next_at <= now):
        _step(subscription, now, is_last_try=is_last_try)
        subscription = _live(organization)


def _live(organization: UUID) -> Subscription | None:
    live = Subscription.objects.live().filter(organization=organization)
    return live.select_related("plan", "next_plan", "organization").first()


def _step(subscription: Subscription, now: datetime, *, is_last_try: bool) -> None:
    if not subscription.anchor:
        _adopt(subscription, now)
    elif now < subscription.current_period_end:
        _within_period(subscription, now)
    elif subscription.cancel_at_period_end:
        subscriptions.end(subscription, now, "canceled")
    elif subscription.status == Status.TRIALING and not _may_charge(subscription, now):
        subscriptions.end(subscription, now, "no_payment_method")
        body = gettext_noop("There is no card and not enough credits, so the plan ended with it.")
        _mail(subscription, gettext_noop("Your trial has ended"), body)
    else:
        _renew(subscription, now, is_last_try=is_last_try)


def _within_period(subscription: Subscription, now: datetime) -> None:
    if subscription.status == Status.TRIALING:
        _remind(subscription, now)
    else:
        subscriptions.give_grants(subscription, now)


def _remind(subscription: Subscription, now: datetime) -> None:
    ends_at = subscription.current_period_end
    subscription.reminded_at, subscription.next_at = now, ends_at
    subscription.save(update_fields=["reminded_at", "next_at"])
    subscriptions.tell(subscription, "trial_ending", now, ends_at=ends_at.isoformat(), price=subscription.price)
    body = gettext_noop("The trial of %(plan)s ends on %(end)s. From then on it costs %(price)s credits per month.")
    if subscription.interval == Interval.YEAR:
        body = gettext_noop("The trial of %(plan)s ends on %(end)s. From then on it costs %(price)s credits per year.")
    _mail(subscription, gettext_noop("Your trial ends soon"), body, end=ends_at)


def _may_charge(subscription: Subscription, now: datetime) -> bool:
    """Whether a trial goes on as a paid plan: there is a card, or there are credits, or the setting says so."""
    organization = subscription.organization
    if settings.TRIAL_ENDS_WITHOUT_CARD == "past_due" or PaymentMethod.objects.of(organization).exists():
        return True
    price: Decimal = subscription.price
    return posting.available(organization.pk, now) >= price


def _renew(subscription: Subscription, now: datetime, *, is_last_try: bool) -> None:
    was_past_due = subscription.status == Status.PAST_DUE
    price = subscription.price
    try:
        with transaction.atomic():
            _begin_next_period(subscription)
            price = subscription.price
            subscriptions.pay_period(subscription, now)
    except NotEnoughCredits:
        if not is_last_try:
            raise _Unpaid(price) from None
        subscription.refresh_from_db()
        _put_off(subscription, now) if was_past_due else _become_past_due(subscription, now)
    else:
        subscriptions.tell(subscription, "renewed", now, number=subscription.number, price=subscription.price)


def _begin_next_period(subscription: Subscription) -> None:
    """The period after the current one, on the plan that was chosen for it. A change of either begins to count anew."""
    start = subscription.current_period_end
    if subscription.next_plan:
        _change_plan(subscription, start)
    else:
        subscription.number += 1
    subscription.status, subscription.past_due_at = Status.ACTIVE, None
    subscription.current_period_start = start
    subscription.current_period_end = subscriptions.end_of(subscription, subscription.number)
    subscription.granted_through = start
    subscription.save()
    subscriptions.limit_calls(subscription)


def _change_plan(subscription: Subscription, start: datetime) -> None:
    assert subscription.next_plan is not None
    account = accounts.required(subscription.organization)
    subscription.plan, interval = subscription.next_plan, subscription.next_interval or subscription.interval
    subscription.price = plans.price(subscription.plan, account.currency, interval)
    if interval != subscription.interval:
        subscription.anchor = periods.wall_time(start, subscriptions.zone_of(subscription)).isoformat()
        subscription.interval, subscription.number = interval, 1
    else:
        subscription.number += 1
    subscription.next_plan, subscription.next_interval = None, ""


def _become_past_due(subscription: Subscription, now: datetime) -> None:
    subscription.status, subscription.past_due_at, subscription.next_at = Status.PAST_DUE, now, now + SCHEDULE[0]
    subscription.save(update_fields=["status", "past_due_at", "next_at"])
    subscriptions.tell(subscription, "past_due", now, next_attempt_at=subscription.next_at.isoformat())
    body = gettext_noop(
        "%(plan)s could not be renewed: %(price)s credits are needed. We try again on %(next)s. "
        "Until then nothing new can be started."
    )
    _mail(subscription, gettext_noop("Your plan could not be renewed"), body, next=subscription.next_at.date())


def _put_off(subscription: Subscription, now: datetime) -> None:
    assert subscription.past_due_at is not None
    later = [subscription.past_due_at + wait for wait in SCHEDULE if subscription.past_due_at + wait > now]
    if later:
        subscription.next_at = later[0]
        subscription.save(update_fields=["next_at"])
        return
    subscriptions.end(subscription, now, "unpaid")
    _mail(subscription, gettext_noop("Your plan has ended"), gettext_noop("%(plan)s was not paid."))
    _fall_back(subscription.organization, now)


def _fall_back(organization: Organization, now: datetime) -> None:
    """Take the plan of `FALLBACK_PLAN`, if the installation names one that costs nothing."""
    if not settings.FALLBACK_PLAN:
        return
    try:
        with transaction.atomic():
            subscriptions.take(organization, settings.FALLBACK_PLAN, now=now)
    except (InvalidField, NotEnoughCredits):
        log.error("the fallback plan can't be taken", organization=organization.public_id)


def _adopt(subscription: Subscription, now: datetime) -> None:
    """Bring a row of 0.1.0 up to date, which had one period and never renewed. What is past costs nothing more."""
    start = subscription.current_period_start
    entries = LedgerEntry.objects.of(subscription.organization)
    entry = entries.filter(kind=LedgerEntry.Kind.SUBSCRIPTION, reference=subscription.public_id).first()
    subscription.price = subscription.plan.monthly_price or ZERO
    subscription.anchor = periods.wall_time(start, subscriptions.zone_of(subscription)).isoformat()
    while subscriptions.end_of(subscription, subscription.number) <= now:
        subscription.number += 1
    end = subscriptions.end_of(subscription, subscription.number)
    subscription.current_period_end = subscription.granted_through = subscription.next_at = end
    subscription.save()
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        plan=subscription.plan,
        starts_at=start,
        ends_at=end,
        fee=-entry.amount if entry else ZERO,
        entry_seq=entry.seq if entry else None,
    )


def _mail(subscription: Subscription, subject: str, body: str, **facts: Any) -> None:
    facts |= {"plan": subscription.plan.name, "price": subscription.price}
    page = f"{settings.BASE_URL}/o/{subscription.organization.public_id}/plan/"
    notices.mail(subscription.organization_id, subject, body, page=page, **facts)


def retry(organization: Organization, now: datetime) -> None:
    """The owner asks to try again at once to pay a subscription that is past due."""
    Subscription.objects.of(organization).filter(status=Status.PAST_DUE).update(next_at=now)
    run(organization, now)


def next_due(organization: Organization) -> datetime | None:
    """When something is due in the organization's subscription."""
    subscription = subscriptions.live(organization)
    return subscription.next_at if subscription else None


def sweep(now: datetime) -> int:
    """Run the subscriptions in which something is due. One that fails stops no other."""
    due = Subscription.objects.live().filter(Q(next_at__lte=now) | Q(next_at=None)).select_related("organization")
    count = 0
    for subscription in due.order_by("?")[:SWEEP_SIZE]:
        try:
            run(subscription.organization, clock.at(subscription.organization, now))
            count += 1
        except Exception:
            log.exception("subscription not renewed", subscription=subscription.public_id)
    return count
