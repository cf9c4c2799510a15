"""Usage over time: `/v1/usage`, in JSON, or in CSV for those who ask for it by `Accept: text/csv`."""

import csv
import io
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
from accounts.lib import snapshot, timezones
from accounts.lib.money import plain
from accounts.lib.problems import InvalidField
from billing.api.fields import AmountSerializerField
from usage.api import parameters
from usage.reporting import calendar, timeseries
from usage.reporting.timeseries import GROUPS, Question, Row

JSON, CSV = "application/json", "text/csv"
IN_JSON, IN_CSV = (JSON, "application/*", "*/*"), (CSV, "text/*")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a spreadsheet takes for the beginning of one


class UsageRowSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField(help_text="Inclusive, with the offset of the time zone")
    end = serializers.DateTimeField(help_text="Exclusive")
    meter = serializers.CharField(required=False, help_text="This one and the next three: where it is grouped by them")
    endpoint = serializers.CharField(required=False, help_text="(none) where none was named")
    key = serializers.CharField(required=False, allow_null=True, help_text="null where an organization was named alone")
    organization = serializers.CharField(required=False)
    requests = serializers.IntegerField()
    failed = serializers.IntegerField()
    quantity = AmountSerializerField(allow_null=True, help_text="null unless grouped by meter, or of one meter")
    credits = AmountSerializerField()


SERIES = inline_serializer(
    "UsageSeries",
    {
        "from": serializers.DateTimeField(),
        "to": serializers.DateTimeField(),
        "window": serializers.ChoiceField(calendar.WINDOWS),
        "timezone": serializers.CharField(),
        "group_by": serializers.ListField(child=serializers.ChoiceField(list(GROUPS))),
        "data": UsageRowSerializer(many=True),
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
            OpenApiParameter("group_by", str, description=f"Of {', '.join(GROUPS)}, separated by commas"),
            OpenApiParameter("environment", str, enum=["live", "test"], default="live"),
            OpenApiParameter("meter", str, description="Only this one"),
            OpenApiParameter("key", str, description="Only this one, by its id"),
            OpenApiParameter("endpoint", str, description="Only this one; (none) for requests that named none"),
            OpenApiParameter("organization", str, description="Only this one and all beneath it, by its id"),
        ],
    )
    @snapshot.consistent()
    def get(self, request: Request) -> HttpResponseBase:
        """What was used in each hour, day or month, exactly, by this organization and all beneath it."""
        asked = _question(request)
        rows = [_shown(asked, row) for row in _rows(asked)]
        answer = _table(asked, rows) if _prefers_csv(request) else Response(_series(asked, rows))
        patch_vary_headers(answer, ["Accept"])
        return answer


def _prefers_csv(request: Request) -> bool:
    """Whether CSV comes before JSON in what the caller accepts; whatever else they accept, it is JSON.

    Not DRF's negotiation, so that a refusal is a problem document all the same.
    """
    accepted = (f"{kind.main_type}/{kind.sub_type}" for kind in request._request.accepted_types)
    return next((name in IN_CSV for name in accepted if name in IN_CSV + IN_JSON), False)


def _question(request: Request) -> Question:
    zone = parameters.zone(request)
    start, end = parameters.span(request, "monthly", zone)
    for name, moment in (("from", start), ("to", end)):
        _check(name, moment, zone)
    return Question(
        organization=parameters.organization(request),
        start=start,
        end=end,
        window=parameters.choice(request, "window", calendar.WINDOWS, "day"),
        timezone=zone,
        group_by=_group_by(request),
        environment=parameters.choice(request, "environment", ("live", "test"), "live"),
        meter=parameters.meter(request),
        key=parameters.key(request),
        endpoint=text_parameter(request, "endpoint"),
    )


def _check(name: str, moment: datetime, zone: str) -> None:
    """The first and the last hours of the calendar have no date in some zones, and are not shown there."""
    try:
        moment.astimezone(timezones.zone(zone))
    except OverflowError as error:
        raise InvalidField(name, f"Has no date in {zone}.") from error


def _group_by(request: Request) -> tuple[str, ...]:
    names = {name.strip() for name in request.query_params.get("group_by", "").split(",")} - {""}
    if not names <= GROUPS.keys():
        raise InvalidField("group_by", f"Must be of {', '.join(GROUPS)}, separated by commas.")
    return tuple(name for name in GROUPS if name in names)


def _rows(asked: Question) -> list[Row]:
    try:
        return timeseries.rows(asked)
    except calendar.TooManyWindows as error:
        most = f"There are more than {calendar.MOST:,} of them between from and to."
        raise InvalidField("window", f"{most} Take a larger window, or less time.") from error
    except timeseries.TooManyRows as error:
        most = f"There are more than {timeseries.MOST_ROWS:,} rows."
        advice = (
            "Take less time, a larger window, or fewer groups; or filter by one meter, endpoint, key or organization."
        )
        raise InvalidField("group_by", f"{most} {advice}") from error


def _shown(asked: Question, row: Row) -> dict[str, Any]:
    return {
        "start": _moment(row.start, asked),
        "end": _moment(row.end, asked),
        **dict(zip(asked.group_by, row.groups, strict=True)),
        "requests": row.sums.requests,
        "failed": row.sums.failed,
        "quantity": row.sums.quantity if asked.of_one_unit else None,
        "credits": row.sums.credits,
    }


def _moment(moment: datetime, asked: Question) -> str:
    """With the offset that the clocks of the time zone had then."""
    text = moment.astimezone(timezones.zone(asked.timezone)).isoformat()
    return f"{text[:-6]}Z" if text.endswith("+00:00") else text


def _series(asked: Question, rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "from": _moment(asked.start, asked),
        "to": _moment(asked.end, asked),
        "window": asked.window,
        "timezone": asked.timezone,
        "group_by": asked.group_by,
        "data": rows,
    }


def _table(asked: Question, rows: list[dict[str, Any]]) -> HttpResponse:
    columns = ["start", "end", *asked.group_by, "requests", "failed", "quantity", "credits"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
    return HttpResponse(text.getvalue().encode("utf-8", "backslashreplace"), content_type=f"{CSV}; charset=utf-8")


def _cell(value: Any) -> str:
    """Text that a spreadsheet would calculate is quoted by an apostrophe, as OWASP advises."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    return str(value) if isinstance(value, int) else plain(value)
