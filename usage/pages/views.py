from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _

from accounts.lib import replica
from accounts.pages.organizations import OrganizationMixin
from billing import clock
from billing.models import LedgerEntry
from billing.templatetags.money import places
from usage.pages import charts, comparing, steps
from usage.reporting import onboarding, overview
from usage.reporting.overview import Month, Overview

ENTRIES_SHOWN = 5


class OverviewView(OrganizationMixin):
    """What is available and for how long, this month against the last, and what needs attention."""

    scopes = {"get": "usage:read"}
    section = "overview"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        now = clock.now(self.organization)
        seen = overview.of(self.organization, self.person, self.credential.scopes, self.person.timezone, now)
        context = self.get_context_data(
            **(self._money(seen) if seen.balance else {}),
            **_usage(seen.month),
            endpoints=seen.endpoints,
            as_of=seen.as_of if replica.is_configured() else None,
            alerts=seen.others,
            checklist=seen.checklist,
            steps=steps.shown(seen.checklist.steps, self.organization, self.credential.scopes),
            done=sum(seen.checklist.steps.values()),
            checklist_curl=f'curl -H "Authorization: Bearer $KEY" {request.build_absolute_uri("/v1/whoami")}',
        )
        return render(request, "usage/overview.html", context)

    def _money(self, seen: Overview) -> dict[str, Any]:
        assert seen.balance is not None
        entries = list(LedgerEntry.objects.of(self.organization).order_by("-seq")[:ENTRIES_SHOWN])
        return {
            "balance": seen.balance,
            "sum_places": places(seen.balance.figures),
            "runway": seen.runway,
            "entries": entries,
            "places": places(number for entry in entries for number in (entry.amount, entry.balance_after)),
        }


class DismissView(OrganizationMixin):
    """Hides the first steps from the person who asks for it."""

    scopes = {"post": "usage:read"}

    def post(self, request: HttpRequest, organization: str) -> HttpResponse:
        onboarding.dismiss(self.organization, self.person, clock.now(self.organization))
        return redirect("usage:overview", organization)


def _usage(month: Month) -> dict[str, Any]:
    now, before = month.totals, month.before
    return {
        "month": month.start,
        "earlier": month.earlier,
        "totals": now,
        "figures": [
            (_("Requests"), now.requests, comparing.change(now.requests, before.requests)),
            (_("Failed"), now.failed, comparing.change(now.failed, before.failed)),
            (_("Credits"), now.credits, comparing.change(now.credits, before.credits)),
        ],
        "days": month.days,
        "credit_places": places(day.credits for day in month.days.values()),
        "chart": charts.month(month.days),
    }
