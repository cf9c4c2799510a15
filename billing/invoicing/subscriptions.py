"""Taking a plan: the first period is paid from the credits, and the currency is set with the first subscription."""

from calendar import monthrange
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from accounts.lib import timezones
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Organization
from billing import accounts
from billing.ledger import posting
from billing.models import LedgerEntry, Plan, Subscription


class AlreadySubscribed(Conflict):
    """The organization has an active subscription."""

    code = "already_subscribed"
    detail = "There is an active subscription already."


def active(organization: Organization) -> Subscription | None:
    """The active subscription of a root organization, with its plan."""
    mine = Subscription.objects.of(organization).filter(status=Subscription.Status.ACTIVE)
    return mine.select_related("plan").first()


@transaction.atomic
def subscribe(organization: Organization, plan_slug: str) -> Subscription:
    """Take a plan from now on. What it costs must be available: an admission, refused with `NotEnoughCredits`."""
    accounts.required(organization)
    plan = Plan.objects.filter(slug=plan_slug, is_offered=True).first()
    if plan is None:
        raise InvalidField("plan", "There is no such plan.")
    posting.lock([organization.pk])
    account = accounts.required(organization)  # which may have been closed meanwhile
    if active(organization):
        raise AlreadySubscribed
    accounts.settle_currency(account)
    now = timezone.now()
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
            description=f"{plan.name}, one month",
            reference=subscription.public_id,
        )
    return subscription


def a_month_after(moment: datetime, timezone_name: str) -> datetime:
    """The same day and wall-clock time of the next month there; the month's last day where it has no such day."""
    local = moment.astimezone(timezones.zone(timezone_name))
    year, month = local.year + local.month // 12, local.month % 12 + 1
    day = min(local.day, monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day).astimezone(UTC)
