"""Usage over time: `/v1/usage`, in JSON, or in CSV with `Accept: text/csv`."""

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.filters import text_parameter
from accounts.credentials import organization_of
from accounts.lib import replica, spreadsheets, timezones
from accounts.lib.problems import InvalidField
from billing.api.fields import AmountSerializerField
from usage.api import parameters
from usage.reporting import calendar, timeseries
from usage.reporting.timeseries import GROUPS, Point, Query
from usage.reporting.totals import NO_ENDPOINT

JSON, CSV = "application/json", "text/csv"
IN_JSON, IN_CSV = (JSON, "application/*", "*/*"), (CSV, "text/*")


class PointSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField(help_text="Inclusive, with the offset of the time zone")
    end = serializers.DateTimeField(help_text="Exclusive")
    meter = serializers.CharField(required=False, help_text="This and the next three are present if grouped by them")
    endpoint = serializers.CharField(required=False, help_text="(none) for events that named none")
    key = serializers.CharField(required=False, allow_null=True, help_text="null if events named no key")
    organization = serializers.CharField(required=False)
    requests = serializers.IntegerField()
    failed = serializers.IntegerField()
    quantity = AmountSerializerField(allow_null=True, help_text="null unless grouped by meter, or filtered by one")
    credits = AmountSerializerField()


SERIES = inline_serializer(
    "UsageSeries",
    {
        "from": serializers.DateTimeField(),
        "to": serializers.DateTimeField(),
        "as_of": serializers.DateTimeField(help_text="All that was recorded by then is in the data"),
        "window": serializers.ChoiceField(calendar.WINDOWS),
        "timezone": serializers.CharField(),
        "group_by": serializers.ListField(child=serializers.ChoiceField(list(GROUPS))),
        "data": PointSerializer(many=True),
    },
)


class UsageSeriesView(APIView):
    scopes = {"get": "usage:read"}

    @extend_schema(
        responses={(200, JSON): SERIES, (200, CSV): OpenApiTypes.STR},
        parameters=[
            OpenApiParameter("from", str, description="ISO 8601, inclusive; the start of this month by default"),
            OpenApiParameter("to", str, description="ISO 8601, exclusive; now by default"),
            OpenApiParameter("window", str, enum=calendar.WINDOWS, default="day"),
            OpenApiParameter("timezone", str, description="An IANA name; the caller's by default"),
            OpenApiParameter("group_by", str, description=f"One or more of {', '.join(GROUPS)}, separated by commas"),
            OpenApiParameter("environment", str, enum=["live", "test"], default="live"),
            OpenApiParameter("meter", str, description="Only this one"),
            OpenApiParameter("key", str, description="Only this one, by its id"),
            OpenApiParameter("endpoint", str, description="Only this endpoint; (none) for requests without one"),
        ],
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Usage by hour, day or month, exact, of this organization and all beneath it."""
        query = _query(request)
        points = replica.figures(lambda: _points(query))
        rows = [_shown(query, point) for point in points.value]
        prefers_csv = _prefers_csv(request)
        response = _csv(query, rows) if prefers_csv else Response(_series(query, rows, points.as_of))
        response["X-Tollgate-As-Of"] = _moment(points.as_of, query)
        patch_vary_headers(response, ["Accept"])
        return response


def _prefers_csv(request: Request) -> bool:
    """Whether the caller accepts CSV before JSON. If they accept neither, they get JSON.

    DRF's negotiation would choose a renderer for refusals too, and those are problem documents for everybody.
    """
    accepted = (f"{kind.main_type}/{kind.sub_type}" for kind in request._request.accepted_types)
    return next((name in IN_CSV for name in accepted if name in IN_CSV + IN_JSON), False)


def _query(request: Request) -> Query:
    zone = parameters.zone(request)
    start, end = parameters.span(request, "monthly", zone)
    for name, moment in (("from", start), ("to", end)):
        _check_has_date(name, moment, zone)
    return Query(
        organization=organization_of(request),
        start=start,
        end=end,
        window=parameters.choice(request, "window", calendar.WINDOWS, "day"),
        timezone=zone,
        group_by=_group_by(request),
        environment=parameters.choice(request, "environment", ("live", "test"), "live"),
        meter=parameters.meter(request),
        key=parameters.key(request),
        endpoint=_endpoint(request),
    )


def _check_has_date(name: str, moment: datetime, zone: str) -> None:
    """The first hours of the year 1 and the last of 9999 have no date in some zones, so they can't be shown there."""
    try:
        moment.astimezone(timezones.zone(zone))
    except OverflowError as error:
        raise InvalidField(name, f"Has no date in {zone}.") from error


def _group_by(request: Request) -> tuple[str, ...]:
    text = request.query_params.get("group_by")
    if text is None:
        return ()
    names = {name.strip() for name in text.split(",")}
    if not names <= GROUPS.keys():
        raise InvalidField("group_by", f"Must be of {', '.join(GROUPS)}, separated by commas.")
    return tuple(name for name in GROUPS if name in names)


def _endpoint(request: Request) -> str | None:
    endpoint = text_parameter(request, "endpoint")
    if endpoint == "":
        raise InvalidField("endpoint", f"Must not be empty. {NO_ENDPOINT} stands for events that named none.")
    return endpoint


def _points(query: Query) -> list[Point]:
    try:
        return timeseries.run(query)
    except calendar.TooManyWindows as error:
        limit = f"There are more than {calendar.MOST:,} of them between from and to."
        raise InvalidField("window", f"{limit} Take a larger window, or less time.") from error
    except timeseries.TooManyPoints as error:
        limit = f"There are more than {timeseries.MOST_POINTS:,} rows."
        advice = (
            "Take less time, a larger window, or fewer groups; or filter by one meter, endpoint, key or organization."
        )
        raise InvalidField("group_by", f"{limit} {advice}") from error


def _shown(query: Query, point: Point) -> dict[str, Any]:
    return {
        "start": _moment(point.start, query),
        "end": _moment(point.end, query),
        **dict(zip(query.group_by, point.names, strict=True)),
        "requests": point.sums.requests,
        "failed": point.sums.failed,
        "quantity": point.sums.quantity if query.has_one_unit else None,
        "credits": point.sums.credits,
    }


def _moment(moment: datetime, query: Query) -> str:
    """With the offset that the clocks of the time zone had then."""
    text = moment.astimezone(timezones.zone(query.timezone)).isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _series(query: Query, rows: list[dict[str, Any]], as_of: datetime) -> dict[str, Any]:
    return {
        "from": _moment(query.start, query),
        "to": _moment(query.end, query),
        "as_of": _moment(as_of, query),
        "window": query.window,
        "timezone": query.timezone,
        "group_by": query.group_by,
        "data": rows,
    }


def _csv(query: Query, rows: list[dict[str, Any]]) -> HttpResponse:
    columns = ["start", "end", *query.group_by, "requests", "failed", "quantity", "credits"]
    content = spreadsheets.csv_of(columns, ([row[name] for name in columns] for row in rows))
    return HttpResponse(content, content_type=f"{CSV}; charset=utf-8")
