"""The door for OpenMeter's clients: CloudEvents, all or nothing."""

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
from usage import metering
from usage.api.cloudevents import BATCH, JSON, MEDIA_TYPES, ONE, media_type, unpack
from usage.api.serializers import CloudEventSerializer
from usage.metering import cloudevents

ONE_OR_MORE = PolymorphicProxySerializer(
    "CloudEvents", [CloudEventSerializer, CloudEventSerializer(many=True)], resource_type_field_name=None, many=False
)


class EventsRefused(Problem):
    """Some of the events can't be recorded, so none is. `errors` points to the attribute of each."""

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

        After a 204 all of them are in the ledger, in the usage figures and in the rollups; those that were there before
        count once. After a 400 none of them is, and `errors` points to what is wrong with each.
        """
        kind = media_type(request)
        batch = unpack(request.data, kind)
        return idempotency.once(request, lambda: _record_all(batch, is_list=isinstance(request.data, list)))


def _record_all(batch: list[Any], *, is_list: bool) -> Response:
    """Within the caller's transaction, which a refusal undoes: some are found out only under the payers' locks."""
    results = cloudevents.record(batch).results
    errors = [
        _error(f"/{index}" if is_list else "", one) for index, one in enumerate(results) if one.result == "rejected"
    ]
    if errors:
        raise EventsRefused(f"{len(errors)} of {len(batch)} events can't be recorded, so none was.", errors=errors)
    return Response(status=status.HTTP_204_NO_CONTENT)


def _error(event: str, result: metering.Result) -> dict[str, str]:
    attribute, said = cloudevents.named(result.detail)
    path = "".join(f"/{part}" for part in attribute.split(".") if part)
    return {"pointer": event + path, "detail": said[:1].upper() + said[1:]}
