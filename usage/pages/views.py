from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render

from accounts.pages.organizations import OrganizationMixin
from apikeys import keys
from apikeys.models import ApiKey
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


class RevokeKeyView(OrganizationMixin):
    """Revoking a key, shown with its usage of today. That is why it is here and not in apikeys."""

    scopes = {"get": "keys:write", "post": "keys:write"}
    section = "keys"

    def key(self) -> ApiKey:
        own = ApiKey.objects.of(self.organization).select_related("created_by").prefetch_related("secrets")
        key = own.filter(public_id=self.kwargs["key"]).first()
        if key is None:
            raise Http404
        return key

    def get(self, request: HttpRequest, organization: str, key: str) -> HttpResponse:
        api_key, now = self.key(), clock.now(self.organization)
        if api_key.revoked_at:
            messages.info(request, f"The key {api_key.name} is revoked already.")
            return redirect("apikeys:keys", organization)
        start = periods.start_of("daily", now, self.person.timezone)
        today = totals.of(self.organization, start, now, api_key.environment, api_key)
        return render(request, "usage/revoke_key.html", self.get_context_data(key=api_key, today=today))

    def post(self, request: HttpRequest, organization: str, key: str) -> HttpResponse:
        revoked = keys.revoke(self.key())
        messages.success(request, f"The key {revoked.name} is revoked. Calls with it are refused from now on.")
        return redirect("apikeys:keys", organization)
