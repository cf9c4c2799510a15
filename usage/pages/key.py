"""The page of one key: its usage, its permissions, and its actions."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext

from accounts.lib import timezones
from accounts.lib.money import ZERO
from apikeys import keys
from apikeys.models import ApiKey
from apikeys.pages.changes import KeyMixin, of_unrevoked
from billing import clock
from billing.ledger import billing_zone
from billing.models import Spending
from usage.pages.stacks import axis, stacked
from usage.reporting import breakdown, periods, totals
from usage.reporting.timeseries import Query
from usage.reporting.totals import Totals

DAYS_SHOWN = 30


class KeyView(KeyMixin):
    scopes = {"get": "keys:read"}

    def get(self, request: HttpRequest, organization: str, key: str) -> HttpResponse:
        row, now = self.key(), clock.now(self.organization)
        usage = self._usage(row, now) if self.may("usage:read") else {}
        context = self.get_context_data(
            key=row,
            now=now,
            secrets=sorted(row.secrets.all(), key=lambda secret: secret.created_at, reverse=True),
            is_current=row.status(now) in ("active", "disabled"),
            may_write=self.may("keys:write"),
            **self._budget(row, now),
            **usage,
        )
        return render(request, "usage/key.html", context)

    def _budget(self, key: ApiKey, now: datetime) -> dict[str, Any]:
        """The key's spending this month, and the percentage of its budget."""
        month = billing_zone.of(self.organization).month_of(now)
        row = Spending.objects.filter(account_id=self.organization.root_id, subject=key.pk, month=month).first()
        spent: Decimal = row.spent if row else ZERO
        share = min(100 * spent / key.monthly_budget, Decimal(100)) if key.monthly_budget else None
        return {"spent": spent, "spent_share": share, "month": month}

    def _usage(self, key: ApiKey, now: datetime) -> dict[str, Any]:
        zone = self.person.timezone
        today = periods.start_of("daily", now, zone)
        start = today - timedelta(days=DAYS_SHOWN - 1)
        query = Query(self.organization, start, now, "day", zone, ("endpoint",), key.environment, key=key)
        result = breakdown.of(query, "requests")
        labels = [series.name or gettext("Other") for series in result.series]
        return {
            "heading": gettext("%(measure)s by %(grouping)s")
            % {"measure": gettext("Requests"), "grouping": gettext("Endpoint")},
            **axis("day", zone),
            "total": result.total,
            "today": totals.of(self.organization, today, now, key.environment, key),
            "lines": [{"number": number, "label": label} for number, label in enumerate(labels)],
            "chart": stacked(result, "requests", "day", timezones.zone(zone), labels),
        }


class InUseMixin(KeyMixin):
    """A question about a key, shown with its usage of today."""

    def today(self, key: ApiKey) -> Totals:
        now = clock.now(self.organization)
        start = periods.start_of("daily", now, self.person.timezone)
        return totals.of(self.organization, start, now, key.environment, key)


class DisableKeyView(InUseMixin):
    """Asks first: the key's next call is refused."""

    scopes = {"get": "keys:write", "post": "keys:write"}

    @of_unrevoked
    def get(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        return render(request, "usage/disable_key.html", self.get_context_data(key=row, today=self.today(row)))

    @of_unrevoked
    def post(self, request: HttpRequest, row: ApiKey) -> HttpResponse:
        keys.update(row, {"enabled": False})
        messages.success(request, gettext("The key %(name)s is disabled.") % {"name": row.name})
        return self.to_key()


class RevokeKeyView(InUseMixin):
    """Revoking a key, confirmed by its name."""

    scopes = {"get": "keys:write", "post": "keys:write"}

    def get(self, request: HttpRequest, organization: str, key: str) -> HttpResponse:
        row = self.key()
        if row.revoked_at:
            messages.info(request, gettext("The key %(name)s is revoked already.") % {"name": row.name})
            return redirect("apikeys:keys", organization)
        return self._question(row)

    def post(self, request: HttpRequest, organization: str, key: str) -> HttpResponse:
        row = self.key()
        if request.POST.get("confirmation", "").strip() != row.name:
            return self._question(row, error=gettext("That is not its name."))
        revoked = keys.revoke(row)
        text = gettext("The key %(name)s is revoked. Calls with it are refused from now on.")
        messages.success(request, text % {"name": revoked.name})
        return redirect("apikeys:keys", organization)

    def _question(self, key: ApiKey, error: str = "") -> HttpResponse:
        context = self.get_context_data(
            key=key, today=self.today(key), error=error, typed=self.request.POST.get("confirmation", "")
        )
        return render(self.request, "usage/revoke_key.html", context, status=400 if error else 200)
