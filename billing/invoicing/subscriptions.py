"""Subscribing to a plan. The first period is paid from the credits."""

from calendar import monthrange
from datetime import UTC, datetime

from django.db import transaction

from accounts import events
from accounts.lib import timezones
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Organization
from billing import accounts
from billing.ledger import posting
from billing.models import LedgerEntry, Plan, Subscription


class AlreadySubscribed(Conflict):
    """The organization already has an active subscription."""

    code = "already_subscribed"
    detail = "There is already an active subscription."


def active(organization: Organization) -> Subscription | None:
    """The organization's active subscription, with its plan."""
    subscriptions = Subscription.objects.of(organization).filter(status=Subscription.Status.ACTIVE)
    return subscriptions.select_related("plan").first()


@transaction.atomic
def subscribe(organization: Organization, plan_slug: str, *, now: datetime) -> Subscription:
    """Start a subscription now. Its price must be available: `NotEnoughCredits` otherwise."""
    accounts.required(organization)
    plan = Plan.objects.filter(slug=plan_slug, is_offered=True).first()
    if plan is None:
        raise InvalidField("plan", "There is no such plan.")
    posting.lock([organization.pk], now)
    account = accounts.required(organization)  # The account may have been closed while we waited.
    if active(organization):
        raise AlreadySubscribed
    accounts.fix_currency(account)
    subscription = Subscription.objects.create(
        organization=organization,
        plan=plan,
        current_period_start=now,
        current_period_end=a_month_after(now, organization.timezone),
    )
    if plan.monthly_price:
        posting.debit(
            organization.pk,
            kind=LedgerEntry.Kind.SUBSCRIPTION,
            amount=plan.monthly_price,
            now=now,
            description=f"{plan.name}, one month",
            reference=subscription.public_id,
        )
    data, targets = {"subscription": subscription.public_id, "plan": plan.slug}, [subscription.public_id]
    events.record(organization.pk, "subscription.created", data, now, targets=targets)
    return subscription


def a_month_after(moment: datetime, timezone_name: str) -> datetime:
    """The same day and local time in the next month, or that month's last day if it is shorter."""
    local = moment.astimezone(timezones.zone(timezone_name))
    year, month = local.year + local.month // 12, local.month % 12 + 1
    day = min(local.day, monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day).astimezone(UTC)
