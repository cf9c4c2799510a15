"""What OpenMeter's clients post to: CloudEvents, all or nothing."""

from typing import Any

from django.conf import settings
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.lib.problems import Problem
from accounts.permissions import PlatformKey
from usage.api.cloudevents import BATCH, JSON, MEDIA_TYPES, ONE, media_type, unpack
from usage.api.serializers import CloudEventSerializer
from usage.metering import cloudevents
from usage.metering.parsing import Rejected

ONE_OR_MORE = PolymorphicProxySerializer(
    "CloudEvents", [CloudEventSerializer, CloudEventSerializer(many=True)], resource_type_field_name=None, many=False
)


class EventsRefused(Problem):
    """Some of the events can't be recorded, so none was. `errors` points to the attribute that is wrong in each."""

    code = "invalid"


class OpenMeterEventsView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "usage:write"}
    body_limit = settings.USAGE_BODY_LIMIT_BYTES
    media_types = MEDIA_TYPES

    @extend_schema(
        operation_id="openmeter_events_create",
        tags=["usage"],
        request={ONE: CloudEventSerializer, BATCH: CloudEventSerializer(many=True), JSON: ONE_OR_MORE},
        responses={204: None},
    )
    def post(self, request: Request) -> Any:
        """Record CloudEvents as OpenMeter's clients send them: up to 1,000, all or nothing.

        After a 204 all of them are in the ledger, in the usage figures and in the rollups. Events that were there
        before are not counted again. After a 400 none was recorded, and `errors` points to what is wrong with each.
        """
        batch = unpack(request.data, media_type(request))
        return idempotency.once(request, lambda: _record_all(batch, is_list=isinstance(request.data, list)))


def _record_all(batch: list[Any], *, is_list: bool) -> Response:
    """In the caller's transaction, which a refusal undoes: some charges are known only under the payers' locks."""
    results = cloudevents.record(batch).results
    rejections = [(index, result.rejection) for index, result in enumerate(results) if result.rejection]
    errors = [_error(f"/{index}" if is_list else "", rejection) for index, rejection in rejections]
    if errors:
        raise EventsRefused(f"{len(errors)} of {len(batch)} events can't be recorded, so none was.", errors=errors)
    return Response(status=status.HTTP_204_NO_CONTENT)


def _error(event: str, rejection: Rejected) -> dict[str, str]:
    attribute = "".join(f"/{part}" for part in rejection.field.split(".") if part)
    return {"pointer": event + attribute, "detail": rejection.message}
