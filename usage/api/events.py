from collections.abc import Callable, Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts import idempotency
from accounts.lib.problems import InvalidField
from accounts.permissions import PlatformKey
from usage import metering
from usage.api import results
from usage.api.cloudevents import BATCH, JSON, MEDIA_TYPES, ONE, SHAPES, media_type, unpack
from usage.api.serializers import (
    BatchSerializer,
    CloudEventSerializer,
    EventSerializer,
    EventsSerializer,
)
from usage.metering import cloudevents
from usage.metering.parsing import BATCH_LIMIT

PLAIN = PolymorphicProxySerializer("UsageEvents", [EventSerializer, EventsSerializer], resource_type_field_name=None)
EVENTS = {JSON: PLAIN, ONE: CloudEventSerializer, BATCH: CloudEventSerializer(many=True)}


class EventsView(APIView):
    permission_classes = (PlatformKey,)
    scopes = {"post": "usage:write"}
    body_limit = settings.USAGE_BODY_LIMIT_BYTES
    media_types = MEDIA_TYPES

    @extend_schema(request=EVENTS, responses=BatchSerializer)
    def post(self, request: Request) -> Any:
        """Record one event, or up to 1,000. An invalid one is rejected alone; the others are recorded, and it's a 200.

        After the response every accepted event is in the ledger, in the usage figures and in the rollups. The same
        `id` of the same organization is counted once within 35 days, so a retry changes nothing. CloudEvents are
        identified by `source` and `id` together.
        """
        batch, record = _read(request)
        return idempotency.once(request, lambda: Response(results.body_of(record(batch))))


def _read(request: Request) -> tuple[list[Any], Callable[[Sequence[Any]], metering.BatchResult]]:
    """The events of the body, and the verb that records events of this form."""
    content_type = media_type(request)
    if content_type in SHAPES:
        return unpack(request.data, content_type), cloudevents.record
    return events_of(request.data), metering.record


def events_of(body: Any) -> list[Any]:
    if not isinstance(body, dict):
        raise InvalidField("", 'Expected a JSON object: one event, or {"events": […]}.')
    if "events" not in body:
        return [body]
    batch = body["events"]
    if not isinstance(batch, list) or not batch:
        raise InvalidField("events", "Expected a list of at least one event.")
    if len(batch) > BATCH_LIMIT:
        raise InvalidField("events", f"At most {BATCH_LIMIT} events; there are {len(batch)}.")
    return batch
