from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from accounts.pages.organizations import OrganizationMixin
from billing import balance, clock
from billing.models import LedgerEntry
from billing.templatetags.money import places
from usage.pages import charts, steps
from usage.reporting import onboarding, periods, runway, totals

ENTRIES_SHOWN = 5
ENDPOINTS_SHOWN = 5


class OverviewView(OrganizationMixin):
    """The balance, this month's usage, and the latest movements."""

    scopes = {"get": "usage:read"}
    section = "overview"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        now = clock.now(self.organization)
        money = self._money(now) if self.organization.is_root and self.may("credits:read") else {}
        progress = onboarding.progress(self.organization)
        context = self.get_context_data(
            **money,
            **self._usage(now),
            steps=steps.shown(progress, self.organization, self.credential.scopes),
            done=sum(progress.values()),
            is_new=not all(progress.values()),
        )
        return render(request, "usage/overview.html", context)

    def _money(self, now: datetime) -> dict[str, Any]:
        balances = balance.of(self.organization, now)
        entries = list(LedgerEntry.objects.of(self.organization).order_by("-seq")[:ENTRIES_SHOWN])
        return {
            "balance": balances,
            "sum_places": places(balances.figures),
            "runway": runway.of(self.organization, balances, now),
            "entries": entries,
            "places": places(number for entry in entries for number in (entry.amount, entry.balance_after)),
        }

    def _usage(self, now: datetime) -> dict[str, Any]:
        zone = self.person.timezone
        start = periods.start_of("monthly", now, zone)
        days = totals.by_day(self.organization, start, now, zone)
        endpoints = totals.by_endpoint(self.organization, start, now)
        return {
            "month": start,
            "totals": sum(days.values(), totals.NOTHING),
            "days": days,
            "credit_places": places(day.credits for day in days.values()),
            "chart": charts.month(days),
            "endpoints": charts.ranking(endpoints, ENDPOINTS_SHOWN),
        }
