from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.api.events import ExportSerializer, HeadSerializer
from accounts.api.filters import moment_parameter
from accounts.credentials import credential_of
from accounts.lib import chains
from accounts.lib.attachments import attachment
from billing import clock
from billing.api.payers import own_payer
from billing.ledger import exporting, posting, seals


class LedgerExportView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(
        parameters=[
            ExportSerializer,
            OpenApiParameter("from", str, description="Entries from then on"),
            OpenApiParameter("to", str, description="Entries before then"),
        ],
        responses={(200, chains.MEDIA_TYPE): bytes, (200, "text/csv"): bytes},
    )
    def get(self, request: Request) -> Any:
        """Up to 10,000 entries of the ledger, the oldest first, as signed JSON Lines or as CSV.

        `tollgate-client verify-events` proves the JSON Lines. The export is an event of the organization's.
        """
        organization = own_payer(request)
        serializer = ExportSerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        params = serializer.validated_data
        posting.current(organization.pk, clock.now(organization))  # posts the entries of what has expired since
        content = exporting.export(
            organization,
            params["format"],
            after=params["after"],
            start=_moment(request, "from"),
            end=_moment(request, "to"),
        )
        response: HttpResponse = attachment(content, "ledger", params["format"])
        return response


class LedgerHeadView(APIView):
    scopes = {"get": "credits:read"}

    @extend_schema(responses=HeadSerializer)
    def get(self, request: Request) -> Response:
        """The newest seal of the ledger, signed. Keep it outside: it shows whether an entry was changed since."""
        organization = own_payer(request)
        seals.seal(organization.pk, timezone.now())
        return Response(seals.head(organization))


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name)
    return None if text is None else moment_parameter(name, text, credential_of(request).timezone)
