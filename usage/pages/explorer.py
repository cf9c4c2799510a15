"""The usage page: usage over time and by group, as a chart, a table and CSV."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from accounts.lib import replica, spreadsheets, timezones
from accounts.lib.languages import written
from accounts.models import Organization
from accounts.pages.organizations import OrganizationMixin
from apikeys.models import ApiKey
from billing import clock
from billing.templatetags.money import places
from usage.pages import comparing
from usage.pages.explorer_form import GROUPINGS, RANGES, ExplorerForm
from usage.pages.explorer_form import MEASURES as MEASURE_NAMES
from usage.pages.stacks import axis, stacked
from usage.reporting import breakdown
from usage.reporting.breakdown import MEASURES, Breakdown, Series
from usage.reporting.timeseries import Query, Sums

PRESETS = {name: label for name, label in RANGES.items() if name != "custom"}


@dataclass(frozen=True)
class TableRow:
    """A row of the table. `share` is in per cent of all, None where nothing was measured."""

    number: int
    label: str
    sums: Sums
    value: Decimal
    share: str | None
    change: str | None


class UsageView(OrganizationMixin):
    scopes = {"get": "usage:read"}
    section = "usage"

    def get(self, request: HttpRequest, organization: str) -> HttpResponse:
        form = ExplorerForm(
            request.GET, organization=self.organization, zone=self.person.timezone, now=clock.now(self.organization)
        )
        form.is_valid()
        query, measure = form.query, form.measure_name
        earlier = form.period.before if form.value("compare", "") else None
        figures = replica.figures(lambda: breakdown.of(query, measure, earlier))
        result = figures.value
        labels = self._labels(query, result)
        if request.GET.get("format") == "csv":
            return _csv(query, result, labels)
        context = self._context(form, query, measure, result, labels)
        as_of = figures.as_of if replica.is_configured() else None
        return render(request, "usage/explorer.html", {**context, "as_of": as_of})

    def _context(
        self, form: ExplorerForm, query: Query, measure: str, result: Breakdown, labels: list[str]
    ) -> dict[str, Any]:
        zone = timezones.zone(query.timezone)
        lines = [
            _line(number, label, series, result.total, measure)
            for number, (label, series) in enumerate(_pairs(labels, result))
        ]
        chosen = {
            name: value for name, value in self.request.GET.items() if name not in ("format", "from", "to", "range")
        }
        return self.get_context_data(
            title=gettext("Usage"),
            form=form,
            presets=[
                (label, urlencode({**chosen, "range": name}), name == form.value("range", "30d"))
                for name, label in PRESETS.items()
            ],
            csv=urlencode({**self.request.GET.dict(), "format": "csv"}),
            start=query.start.astimezone(zone),
            end=query.end.astimezone(zone),
            grouping=GROUPINGS[query.group_by[0]],
            measure=MEASURE_NAMES[measure],
            heading=gettext("%(measure)s by %(grouping)s")
            % {"measure": MEASURE_NAMES[measure], "grouping": GROUPINGS[query.group_by[0]]},
            **axis(query.window, query.timezone),
            lines=lines,
            total=result.total,
            total_change=_change_of(result, measure),
            is_compared=result.before is not None,
            columns=gettext("Requests, Failed, Credits, Share")
            if result.before is None
            else gettext("Requests, Failed, Credits, Share, Change"),
            has_one_unit=query.has_one_unit,
            credit_places=places(line.sums.credits for line in lines),
            chart=stacked(result, measure, query.window, zone, labels),
        )

    def _labels(self, query: Query, result: Breakdown) -> list[str]:
        """The labels of the groups: keys and organizations have their names."""
        names = [series.name for series in result.series if series.name]
        called: dict[str, str] = {}
        if query.group_by == ("key",):
            called = dict(
                ApiKey.objects.within(self.organization).filter(public_id__in=names).values_list("public_id", "name")
            )
        elif query.group_by == ("organization",):
            own = Organization.objects.within(self.organization).filter(public_id__in=names)
            called = dict(own.values_list("public_id", "name"))
        return [_label(series, called) for series in result.series]


def _label(series: Series, called: dict[str, str]) -> str:
    if series.is_rest:
        return gettext("Other")
    return called.get(series.name, series.name) if series.name else gettext("Without a key")


def _pairs(labels: list[str], result: Breakdown) -> Iterator[tuple[str, Series]]:
    return zip(labels, result.series, strict=True)


def _line(number: int, label: str, series: Series, total: Sums, measure: str) -> TableRow:
    value, whole = MEASURES[measure](series.total), MEASURES[measure](total)
    before = MEASURES[measure](series.before) if series.before else None
    share = written(f"{100 * value / whole:.1f}%") if whole > 0 else None
    return TableRow(number, label, series.total, value, share, _change(value, before))


def _change_of(result: Breakdown, measure: str) -> str | None:
    before = MEASURES[measure](result.before) if result.before else None
    return _change(MEASURES[measure](result.total), before)


def _change(value: Decimal, before: Decimal | None) -> str | None:
    return None if before is None else comparing.change(value, before)


def _csv(query: Query, result: Breakdown, labels: list[str]) -> HttpResponse:
    """The same groups in the same windows as the page shows."""
    zone, bounds = timezones.zone(query.timezone), result.bounds
    columns = ["start", "end", query.group_by[0], "name", "requests", "failed", "quantity", "credits"]
    rows = [
        (
            start.astimezone(zone).isoformat(),
            end.astimezone(zone).isoformat(),
            series.name or "",
            label,
            sums.requests,
            sums.failed,
            sums.quantity if query.has_one_unit and not (series.is_rest and query.meter is None) else None,
            sums.credits,
        )
        for index, (start, end) in enumerate(pairwise(bounds))
        for label, series in _pairs(labels, result)
        if (sums := series.values[index]).requests
    ]
    response = HttpResponse(spreadsheets.csv_of(columns, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="usage.csv"'
    return response
