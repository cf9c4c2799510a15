"""Subscriptions: taking a plan, and the parts that renewals and changes use.

Every verb locks the payer, so simultaneous calls run one after the other. A fee is an admission: if the credits aren't
available it is refused, and nothing has changed.
"""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import transaction

from accounts import events
from accounts.lib.money import ZERO
from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing import accounts
from billing.invoicing import periods, plans
from billing.ledger import posting, thresholds
from billing.ledger.lots import Lot
from billing.models import Grant, Interval, LedgerEntry, Subscription, SubscriptionPeriod

Status = Subscription.Status
Kind = LedgerEntry.Kind
FIRST_TO_BURN = 0  # the priority of a plan's grant, which ends with its month


class AlreadySubscribed(Conflict):
    """The organization already has a subscription."""

    code = "already_subscribed"
    detail = "There is already an active subscription."


def live(organization: Organization) -> Subscription | None:
    """The organization's subscription that has not ended, with its plan."""
    return Subscription.objects.of(organization).live().select_related("plan", "next_plan").first()


def subscribe(
    organization: Organization, plan_slug: str, *, now: datetime, interval: str = Interval.MONTH
) -> Subscription:
    """Start a subscription now: with a trial, if the plan has one and the organization never had the plan.

    Otherwise its price must be available: `NotEnoughCredits` if it isn't. A suspended organization takes none.
    """
    accounts.required(organization)
    accounts.require_operational(organization)
    return take(organization, plan_slug, now=now, interval=interval)


@transaction.atomic
def take(organization: Organization, plan_slug: str, *, now: datetime, interval: str = Interval.MONTH) -> Subscription:
    """As `subscribe`, but also for suspended organizations: the plan that replaces an unpaid one costs nothing."""
    plan = plans.offered(plan_slug)
    posting.lock([organization.pk], now)
    account = accounts.required(organization)  # The account may have been closed while we waited.
    if live(organization):
        raise AlreadySubscribed
    price = plans.price(plan, accounts.fix_currency(account), interval)
    trial = timedelta(days=plan.trial_days)
    if trial and Subscription.objects.of(organization).filter(plan__slug=plan.slug).exists():
        trial = timedelta(0)
    subscription = Subscription(organization=organization, plan=plan, interval=interval, price=price, created_at=now)
    if trial:
        _start_trial(subscription, now, now + trial)
    else:
        start(subscription, now)
    limit_calls(subscription)
    taken = {"interval": interval, "price": price, "trial": bool(trial)}
    tell(subscription, "created", now, actor=events.origin.actor(), **taken)
    return subscription


def _start_trial(subscription: Subscription, start: datetime, end: datetime) -> None:
    subscription.status, subscription.number = Status.TRIALING, 0
    subscription.current_period_start, subscription.current_period_end = start, end
    subscription.next_at = periods.reminder(start, end)
    subscription.anchor = periods.wall_time(end, zone_of(subscription)).isoformat()
    subscription.save()
    add_period(subscription, start, end, fee=ZERO, is_trial=True, now=start)


def start(subscription: Subscription, now: datetime) -> None:
    """Begin the first paid period at `now`, and pay for it."""
    subscription.status, subscription.number = Status.ACTIVE, 1
    subscription.anchor = periods.wall_time(now, zone_of(subscription)).isoformat()
    subscription.current_period_start = subscription.granted_through = now
    subscription.current_period_end = end_of(subscription, 1)
    subscription.next_at = now  # a placeholder, as `give_grants` says when something is due
    subscription.save()
    pay_period(subscription, now)


def pay_period(subscription: Subscription, now: datetime) -> None:
    """Pay the whole current period, and give what belongs to it."""
    start, end = subscription.current_period_start, subscription.current_period_end
    add_period(subscription, start, end, fee=subscription.price, now=now)
    give_grants(subscription, now)


def end_of(subscription: Subscription, number: int) -> datetime:
    """The end of its `number`-th period. A change of the organization's time zone counts from the next one on."""
    return periods.boundary(subscription.anchored_at, number, subscription.interval, zone_of(subscription))


def zone_of(subscription: Subscription) -> str:
    name: str = subscription.organization.timezone
    return name


def add_period(
    subscription: Subscription, start: datetime, end: datetime, *, fee: Decimal, now: datetime, is_trial: bool = False
) -> None:
    """Write a period, and post its fee; `NotEnoughCredits` beyond what is available."""
    posted = None
    if fee:
        posted = posting.debit(
            subscription.organization_id,
            kind=Kind.SUBSCRIPTION,
            amount=fee,
            now=now,
            description=f"{subscription.plan.name}, {start:%-d %b %Y} to {end:%-d %b %Y}",
            reference=subscription.public_id,
            idempotency_key=f"period:{subscription.pk.hex}:{start.timestamp():.6f}",
        )
    SubscriptionPeriod.objects.create(
        subscription=subscription,
        plan=subscription.plan,
        is_trial=is_trial,
        starts_at=start,
        ends_at=end,
        fee=fee,
        entry_seq=posted.seq if posted else None,
    )


def give_grants(subscription: Subscription, now: datetime) -> None:
    """Give the grants of the months that have begun, and set when the next thing is due."""
    period_end, granted = subscription.current_period_end, subscription.granted_through
    assert granted is not None
    while granted <= now and granted < period_end:
        month_start, month_end = _month(subscription, granted)
        end = min(month_end, period_end)
        if end > now:  # After a change of the interval, the first one is for the rest of a month.
            amount = periods.part(subscription.plan.grant, granted, month_start, month_end)
            give(subscription, amount, granted, end, now)
        granted = end
    subscription.granted_through, subscription.next_at = granted, min(granted, period_end)
    subscription.save(update_fields=["granted_through", "next_at"])


def _month(subscription: Subscription, moment: datetime) -> tuple[datetime, datetime]:
    """The month, counted from the anchor, in which the moment lies."""
    anchor, zone = subscription.anchored_at, zone_of(subscription)
    number = periods.months_between(anchor, moment, zone)
    start, end = (periods.boundary(anchor, number + n, Interval.MONTH, zone) for n in (0, 1))
    return start, end


def give(subscription: Subscription, amount: Decimal, start: datetime, end: datetime, now: datetime) -> None:
    """Give credits that end at `end`. They burn before others, and a renewal never touches those that are there."""
    if amount > 0:
        posting.post(
            subscription.organization_id,
            kind=Kind.GRANT,
            amount=amount,
            now=now,
            lot=Lot(Grant.Category.PROMOTIONAL, FIRST_TO_BURN, end),
            description=f"Included in {subscription.plan.name}",
            reference=subscription.public_id,
            idempotency_key=f"included:{subscription.pk.hex}:{subscription.plan_id}:{start.timestamp():.6f}",
        )


def limit_calls(subscription: Subscription) -> None:
    """Note its plan's rate limit where the gate reads it."""
    plan = subscription.plan
    thresholds.set_rate_limit(subscription.organization_id, plan.rate_limit, plan.rate_limit_window_seconds)


def end(subscription: Subscription, now: datetime, reason: str, actor: events.Actor = events.SYSTEM) -> None:
    """Nothing is charged any more. It ended with its last period, for which somebody paid."""
    subscription.status, subscription.next_at = Status.CANCELED, None
    subscription.ended_at = subscription.current_period_end
    subscription.save(update_fields=["status", "next_at", "ended_at"])
    thresholds.set_rate_limit(subscription.organization_id, None, None)
    tell(subscription, "ended", now, actor=actor, reason=reason)


def tell(
    subscription: Subscription, verb: str, now: datetime, *, actor: events.Actor = events.SYSTEM, **data: Any
) -> None:
    described = {"subscription": subscription.public_id, "plan": subscription.plan.slug, **data}
    type, targets = f"subscription.{verb}", [subscription.public_id]
    events.record(subscription.organization_id, type, described, now, actor=actor, targets=targets)
