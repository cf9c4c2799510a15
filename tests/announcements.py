"""The announcements about balances and budgets, among all events of an organization."""

from django.db.models import QuerySet

from accounts.models import Event, Organization

TYPES = ("budget.crossed", "budget.recovered", "credits.low", "credits.recovered")


def of(organization: Organization, *more: str) -> QuerySet[Event]:
    """The oldest first, with events of the types in `more`."""
    return Event.objects.of(organization).filter(type__in=[*TYPES, *more]).order_by("id")
