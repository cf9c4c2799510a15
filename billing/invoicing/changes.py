"""Changing a subscription: a dearer plan begins now, a cheaper one with the next period; canceling and resuming.

For a dearer plan, the difference is charged for the rest of the period. Nothing is ever paid back.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from accounts import events
from accounts.lib.money import ZERO
from accounts.lib.problems import Conflict
from accounts.models import Organization
from billing import accounts
from billing.invoicing import periods, plans, renewals, subscriptions
from billing.ledger import posting
from billing.models import Interval, Plan, Subscription, SubscriptionPeriod

Status = Subscription.Status


class NotSubscribed(Conflict):
    """There is no subscription to change."""

    code = "not_subscribed"
    detail = "There is no active subscription."


class SubscriptionPastDue(Conflict):
    """The current period has to be paid first."""

    code = "subscription_past_due"
    detail = "The subscription is past due. Add credits and pay it first."


@dataclass(frozen=True)
class Quote:
    """What a change means: when it begins, what it costs at that moment, and what a period costs from then on."""

    plan: Plan
    interval: str
    begins_at: datetime
    is_immediate: bool
    charge: Decimal
    price: Decimal


def quote(organization: Organization, plan_slug: str, interval: str | None, now: datetime) -> Quote:
    """What taking or changing to a plan would cost now. It changes nothing."""
    plan = _named(subscriptions.live(organization), plan_slug)
    currency = accounts.currency_of(accounts.required(organization))
    subscription = subscriptions.live(organization)
    interval = interval or (subscription.interval if subscription else Interval.MONTH.value)
    price = plans.price(plan, currency, interval)
    if subscription is None:
        is_trial = plan.trial_days and not Subscription.objects.of(organization).filter(plan__slug=plan.slug).exists()
        return Quote(plan, interval, now, True, ZERO if is_trial else price, price)
    if subscription.status == Status.TRIALING:
        return Quote(plan, interval, now, True, ZERO, price)
    if not _is_upgrade(subscription, price, interval):
        return Quote(plan, interval, subscription.current_period_end, False, ZERO, price)
    return Quote(plan, interval, now, True, _difference(subscription, price, interval, now), price)


def _named(subscription: Subscription | None, slug: str) -> Plan:
    """The version on offer; for the subscription's own plan, the version that it has."""
    return subscription.plan if subscription and subscription.plan.slug == slug else plans.offered(slug)


def _is_upgrade(subscription: Subscription, price: Decimal, interval: str) -> bool:
    """A longer interval is one, whatever it costs a month; among the same, a dearer plan."""
    if interval != subscription.interval:
        return interval == Interval.YEAR
    before: Decimal = subscription.price
    return price > before


def _difference(subscription: Subscription, price: Decimal, interval: str, now: datetime) -> Decimal:
    """By the seconds that are left of the whole period. Another interval begins a new period, which is paid whole."""
    start, end = subscription.current_period_start, subscription.current_period_end
    if interval == subscription.interval:
        return periods.part(price - subscription.price, now, start, end)
    return max(price - periods.part(subscription.price, now, start, end), ZERO)


def change(
    organization: Organization, plan_slug: str, interval: str | None, *, now: datetime, actor: events.Actor
) -> Subscription:
    """Change the plan or the interval. A dearer one is an admission: `NotEnoughCredits`, and nothing has changed.

    Changing to the current plan cancels a pending change. If the period has ended and the sweep has
    not renewed it yet, it is renewed first.
    """
    accounts.required(organization)
    accounts.require_operational(organization)
    renewals.run(organization, now)
    return _change(organization, plan_slug, interval, now=now, actor=actor)


@transaction.atomic
def _change(
    organization: Organization, plan_slug: str, interval: str | None, *, now: datetime, actor: events.Actor
) -> Subscription:
    subscription = _locked(organization, now)
    if subscription.status == Status.PAST_DUE:
        raise SubscriptionPastDue
    offer = quote(organization, plan_slug, interval, now)
    before = {"plan": subscription.plan.slug, "interval": subscription.interval}
    if (offer.plan.pk, offer.interval) == (subscription.plan_id, subscription.interval):
        subscription.next_plan, subscription.next_interval = None, ""
        subscription.save(update_fields=["next_plan", "next_interval"])
    elif offer.is_immediate:
        _change_now(subscription, offer, now)
    else:
        subscription.next_plan, subscription.next_interval = offer.plan, offer.interval
        subscription.save(update_fields=["next_plan", "next_interval"])
    after = {"plan": offer.plan.slug, "interval": offer.interval}
    details = {"begins_at": offer.begins_at.isoformat(), "charge": offer.charge}
    subscriptions.tell(subscription, "changed", now, actor=actor, before=before, after=after, **details)
    return subscription


def _change_now(subscription: Subscription, offer: Quote, now: datetime) -> None:
    period = subscription.periods.order_by("-starts_at")[0]
    at = max(now, period.starts_at + datetime.resolution)  # no period is empty
    SubscriptionPeriod.objects.filter(pk=period.pk).update(ends_at=at)
    is_trial, granted = subscription.status == Status.TRIALING, subscription.granted_through
    more = ZERO if is_trial else _more(subscription, offer.plan, now)
    subscription.plan, subscription.price = offer.plan, offer.price
    subscription.next_plan, subscription.next_interval = None, ""
    if offer.interval != subscription.interval:
        subscription.interval = offer.interval
        if not is_trial:
            _begin_anew(subscription, at)
    subscription.save()
    subscriptions.limit_calls(subscription)
    end = subscription.current_period_end
    subscriptions.add_period(subscription, at, end, fee=offer.charge, now=now, is_trial=is_trial)
    if not is_trial:
        subscriptions.give(subscription, more, at, granted or end, now)
        subscriptions.give_grants(subscription, now)


def _begin_anew(subscription: Subscription, at: datetime) -> None:
    """Another interval counts from now. The month of the last grant goes on."""
    subscription.anchor = periods.wall_time(at, subscriptions.zone_of(subscription)).isoformat()
    subscription.number, subscription.current_period_start = 1, at
    subscription.current_period_end = subscriptions.end_of(subscription, 1)


def _more(subscription: Subscription, plan: Plan, now: datetime) -> Decimal:
    """How much larger the grant of `plan` is, for the rest of the month of the last grant."""
    anchor, end = subscription.anchored_at, subscription.granted_through
    zone = subscriptions.zone_of(subscription)
    if end is None or end <= now:
        return ZERO
    start = periods.boundary(anchor, periods.months_between(anchor, now, zone), Interval.MONTH, zone)
    return periods.part(max(plan.grant - subscription.plan.grant, ZERO), now, start, end)


@transaction.atomic
def cancel(organization: Organization, *, now: datetime, actor: events.Actor) -> Subscription:
    """End it with the current period. If that was not paid, it ends at once. A second call changes nothing."""
    subscription = _locked(organization, now)
    if subscription.status == Status.PAST_DUE:
        subscriptions.end(subscription, now, "canceled", actor)
    elif not subscription.cancel_at_period_end:
        subscription.cancel_at_period_end = True
        subscription.next_plan, subscription.next_interval = None, ""
        subscription.save(update_fields=["cancel_at_period_end", "next_plan", "next_interval"])
        ends_at = subscription.current_period_end.isoformat()
        subscriptions.tell(subscription, "canceled", now, actor=actor, ends_at=ends_at)
    return subscription


@transaction.atomic
def resume(organization: Organization, *, now: datetime, actor: events.Actor) -> Subscription:
    """Take back a cancelation that has not taken effect yet."""
    subscription = _locked(organization, now)
    if subscription.cancel_at_period_end:
        subscription.cancel_at_period_end = False
        subscription.save(update_fields=["cancel_at_period_end"])
        subscriptions.tell(subscription, "resumed", now, actor=actor)
    return subscription


def _locked(organization: Organization, now: datetime) -> Subscription:
    accounts.required(organization)
    posting.lock([organization.pk], now)
    subscription = subscriptions.live(organization)
    if subscription is None:
        raise NotSubscribed
    return subscription
