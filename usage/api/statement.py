"""The ledger as a statement: `/v1/ledger/statement`, also as PDF."""

from typing import Any

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.lib.problems import InvalidField
from accounts.models import Organization
from billing import clock
from billing.api.fields import AmountSerializerField
from billing.api.payers import own_payer
from billing.models import LedgerEntry
from usage.api import parameters
from usage.reporting import statement, statement_pdf
from usage.reporting.statement import Statement, StatementLine

PARAMETERS = [
    OpenApiParameter("from", str, description="ISO 8601, inclusive; the start of this month by default"),
    OpenApiParameter("to", str, description="ISO 8601, exclusive; now by default"),
    OpenApiParameter("timezone", str, description="An IANA name; the caller's by default"),
]


class LineSerializer(serializers.Serializer[Any]):
    """All `entries` of a kind in a day, or the single `entry`. `balance_after` is after the line, in this order."""

    date = serializers.DateField()
    kind = serializers.ChoiceField(LedgerEntry.Kind.values)
    entries = serializers.IntegerField()
    entry = serializers.IntegerField(allow_null=True)
    description = serializers.CharField(allow_blank=True)
    amount = AmountSerializerField()
    balance_after = AmountSerializerField()


class StatementSerializer(serializers.Serializer[Any]):
    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    timezone = serializers.CharField()
    opening = AmountSerializerField()
    closing = AmountSerializerField()
    lines = LineSerializer(many=True)


class StatementView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses=StatementSerializer, parameters=PARAMETERS)
    def get(self, request: Request) -> Response:
        """From the opening to the closing balance: a line for the usage of each day, and for every other entry."""
        _, made = _statement(request)
        body = {
            "start": made.start,
            "end": made.end,
            "timezone": made.timezone,
            "opening": made.opening,
            "closing": made.closing,
            "lines": [_line(line) for line in made.lines],
        }
        return Response(StatementSerializer(body).data)


class StatementDocumentView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses={(200, "application/pdf"): OpenApiTypes.BINARY}, parameters=PARAMETERS)
    def get(self, request: Request) -> Any:
        """The statement as a PDF."""
        organization, made = _statement(request)
        content = statement_pdf.pdf(organization, made)
        disposition = f'attachment; filename="statement-{organization.public_id}.pdf"'
        return HttpResponse(content, content_type="application/pdf", headers={"Content-Disposition": disposition})


def _statement(request: Request) -> tuple[Organization, Statement]:
    organization = own_payer(request)
    zone, now = parameters.zone(request), clock.now(organization)
    start, end = parameters.span(request, "monthly", zone)
    try:
        return organization, statement.of(organization, start, min(end, now), zone, now)
    except statement.TooLong as error:
        raise InvalidField("from", "At most 400 days, and 2,000 entries besides usage.") from error


def _line(line: StatementLine) -> dict[str, Any]:
    return {
        "date": line.day,
        "kind": line.kind,
        "entries": line.count,
        "entry": line.entry.seq if line.entry else None,
        "description": line.entry.description if line.entry else "",
        "amount": line.amount,
        "balance_after": line.balance,
    }
