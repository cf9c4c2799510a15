"""The pages of closed months: all of them, and what was used in one, also as CSV."""

from datetime import date
from typing import Any

from django.db.models import F, Q, QuerySet, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.defaultfilters import date as date_text
from django.utils.translation import gettext
from django.views.generic import ListView

from accounts.lib import months, spreadsheets
from accounts.lib.money import ZERO
from accounts.pages.organizations import OrganizationMixin
from billing.templatetags.money import places
from usage.models import MonthClose, MonthlyUsage

Figures = dict[str, Any]

LATE = Q(occurred_in__lt=F("month"))
SUMS = {
    "all_requests": Sum("requests", default=0),
    "all_failed": Sum("failed", default=0),
    "late_requests": Sum("requests", filter=LATE, default=0),
    "all_credits": Sum("credits", default=ZERO),
}
NOTHING: Figures = {"all_requests": 0, "all_failed": 0, "late_requests": 0, "all_credits": ZERO}


class MonthsView(OrganizationMixin, ListView[MonthClose]):
    """The closed months of the organization's payer, with what the organization and all beneath it used."""

    scopes = {"get": "usage:read"}
    section = "usage"
    template_name = "usage/months.html"
    paginate_by = 24

    def get_queryset(self) -> QuerySet[MonthClose]:
        return MonthClose.objects.done().filter(account=self.organization.root_id).order_by("-month")

    def get_context_data(self, **context: Any) -> dict[str, Any]:
        context = super().get_context_data(**context)
        closes = list(context["object_list"])
        rows = MonthlyUsage.objects.within(self.organization).filter(month__in=[close.month for close in closes])
        sums: dict[date, Figures] = {row["month"]: {**row} for row in rows.values("month").annotate(**SUMS)}
        lines = [(close, sums.get(close.month, NOTHING)) for close in closes]
        return {
            **context,
            "lines": lines,
            "shows_balance": self.organization.is_root and self.may("credits:read"),
            "credit_places": places(sums["all_credits"] for _, sums in lines),
            "balance_places": places(close.closing or ZERO for close in closes),
            "title": gettext("Closed months"),
        }


class MonthView(OrganizationMixin):
    """One closed month: what each organization used of each meter."""

    scopes = {"get": "usage:read"}
    section = "usage"

    def get(self, request: HttpRequest, organization: str, month: str) -> HttpResponse:
        first = self._closed(month)
        rows = MonthlyUsage.objects.within(self.organization).filter(month=first)
        rows = rows.select_related("organization", "meter")
        rows = rows.order_by("meter__slug", "organization__name", "organization_id", "-occurred_in")
        if request.GET.get("format") == "csv":
            return _csv(month, rows)
        context = self.get_context_data(
            title=date_text(first, "F Y"),
            month=first,
            rows=rows,
            totals=rows.aggregate(**SUMS),
            credit_places=places(row.credits for row in rows),
            quantity_places=places(row.quantity for row in rows),
        )
        return render(request, "usage/closed_month.html", context)

    def _closed(self, month: str) -> date:
        try:
            first = months.parse(month)
        except ValueError as error:
            raise Http404 from error
        if not MonthClose.objects.done().filter(account=self.organization.root_id, month=first).exists():
            raise Http404
        return first


def _csv(month: str, rows: QuerySet[MonthlyUsage]) -> HttpResponse:
    columns = [
        *("month", "organization", "name", "meter", "unit", "occurred_in"),
        *("requests", "failed", "quantity", "credits"),
    ]
    content = spreadsheets.csv_of(
        columns,
        (
            [
                *(month, row.organization.public_id, row.organization.name, row.meter.slug, row.meter.unit),
                *(f"{row.occurred_in:%Y-%m}", row.requests, row.failed, row.quantity, row.credits),
            ]
            for row in rows
        ),
    )
    response = HttpResponse(content, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="usage-{month}.csv"'
    return response
