"""Plans to take, and what became of a subscription."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from accounts import events
from accounts.models import Event, Organization
from billing.invoicing import subscriptions
from billing.models import LedgerEntry, Plan, PlanPrice, Subscription
from tests import factories

START = datetime(2026, 1, 31, 12, tzinfo=UTC)


def plan(slug: str, price: int | str | None, **terms: Any) -> Plan:
    amount = None if price is None else Decimal(price)
    return Plan.objects.create(slug=slug, name=slug.title(), monthly_price=amount, **terms)


def yearly(plan: Plan, amount: int, currency: str = "USD") -> None:
    PlanPrice.objects.create(plan=plan, currency=currency, interval="year", amount=amount)


def subscriber(credits: int = 100) -> Organization:
    organization = factories.organization()
    factories.billing_account(organization)
    if credits:
        factories.credit(organization, credits)
    return organization


def taken(organization: Organization) -> Subscription:
    """The organization's subscription, live or the last one."""
    return Subscription.objects.of(organization).select_related("plan", "next_plan").latest("created_at")


def stretches(organization: Organization) -> Any:
    """The periods, each by its first day and the day of its end, with the plan and the fee."""
    rows = taken(organization).periods.select_related("plan").order_by("starts_at")
    return [(f"{row.starts_at:%m-%d} {row.ends_at:%m-%d}", row.plan.slug, row.fee) for row in rows]


def fees(organization: Organization) -> Any:
    entries = LedgerEntry.objects.of(organization).filter(kind="subscription").order_by("seq")
    return [-entry.amount for entry in entries]


def told(organization: Organization) -> list[str]:
    types = Event.objects.of(organization).filter(type__startswith="subscription.").order_by("pk")
    return [type.removeprefix("subscription.") for type in types.values_list("type", flat=True)]


def subscribe(organization: Organization, slug: str, now: datetime = START, interval: str = "month") -> Subscription:
    return subscriptions.subscribe(organization, slug, now=now, interval=interval)


BY = events.SYSTEM
