from typing import Any

import django_filters
from django.db.models import QuerySet, Subquery
from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import GenericViewSet

from accounts.api.fields import IntegerField
from accounts.api.filters import CreatedFilter, known_id
from accounts.credentials import owner_of
from accounts.events import exporting, sealing
from accounts.events.catalog import API_VERSION, TYPES
from accounts.lib import chains
from accounts.lib.attachments import attachment
from accounts.lib.problems import Forbidden, InvalidField
from accounts.models import Event
from accounts.permissions import HasScopeOrCompany


class ActorSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.CharField(allow_null=True)


class EventSerializer(serializers.ModelSerializer[Event]):
    """`data` depends on `type`: see `webhooks` in this document. `sequence` is null until publication."""

    id = serializers.CharField(source="public_id", read_only=True)
    timestamp = serializers.DateTimeField(source="created_at", read_only=True)
    organization = serializers.CharField(source="organization.public_id", default=None, allow_null=True, read_only=True)
    sequence = serializers.IntegerField(source="published.sequence", default=None, allow_null=True, read_only=True)
    api_version = serializers.CharField(default=API_VERSION, read_only=True)
    actor = ActorSerializer(read_only=True, allow_null=True)
    targets = serializers.ListField(child=serializers.CharField(), read_only=True, allow_null=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]
    context = serializers.DictField(read_only=True, allow_null=True)  # type: ignore[assignment]
    personal = serializers.DictField(
        source="personal_data.members", default=None, read_only=True, allow_null=True, help_text="Null after erasure."
    )

    class Meta:
        model = Event
        fields = [
            "id",
            "type",
            "timestamp",
            "organization",
            "sequence",
            "api_version",
            "actor",
            "targets",
            "data",
            "context",
            "personal",
            "created_at",
        ]
        read_only_fields = fields


class EventFilter(CreatedFilter):
    type = django_filters.CharFilter(method="of_type", label="The event type")
    actor = django_filters.CharFilter(field_name="actor__id", label="The actor's id: `user:7`, `key_…`")
    target = django_filters.CharFilter(method="of_target", label="The target's id")

    class Meta:
        model = Event
        fields: list[str] = []

    def of_type(self, events: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        if value not in TYPES:
            raise InvalidField("type", f"{value[:60]!r} is not an event type.")
        return events.filter(type=value)

    def of_target(self, events: QuerySet[Event], name: str, value: str) -> QuerySet[Event]:
        return events.filter(targets__contains=[value])


class ExportSerializer(serializers.Serializer[Any]):
    """The query of an export, beside the filters. `after` is a sequence."""

    format = serializers.ChoiceField(exporting.FORMATS, default="jsonl")
    after = IntegerField(min_value=0, max_value=10**18, default=0)


class HeadSerializer(serializers.Serializer[Any]):
    """The newest seal. `signature` is a JWS of the other members: `/.well-known/seal-keys.json` has the keys."""

    log = serializers.CharField()
    organization = serializers.CharField(allow_null=True)
    last = serializers.IntegerField()
    digest = serializers.CharField()
    signature = serializers.CharField()


class LogOfRoot(Forbidden):
    """The log belongs to the root organization, and reveals how much happens in its whole tree."""

    code = "log_of_root"
    detail = "The log is the root organization's. Ask with a credential of that one."


class EventViewSet(mixins.ListModelMixin, GenericViewSet[Event]):
    """Events of the current organization and those beneath it, newest first; oldest first with `after`.

    A platform key that names no organization sees the company's own log: what concerns none.
    """

    permission_classes = [HasScopeOrCompany]
    scopes = {"list": "audit:read", "export": "audit:read", "newest_seal": "audit:read"}
    serializer_class = EventSerializer
    filterset_class = EventFilter
    queryset = Event.objects.none()

    def get_queryset(self) -> QuerySet[Event]:
        events = Event.objects.in_log_of(owner_of(self.request)).order_by("-id")
        return events.select_related("organization", "published", "personal_data")

    @extend_schema(
        parameters=[ExportSerializer],
        responses={(200, chains.MEDIA_TYPE): bytes, (200, "text/csv"): bytes},
        filters=True,
    )
    @action(detail=False, methods=["get"], pagination_class=None)
    def export(self, request: Request) -> HttpResponse:
        """Up to 10,000 events in the order of their sequence, as JSON Lines with their seals, or as CSV.

        `tollgate-client verify-events` proves the JSON Lines. The export is an event itself.
        """
        serializer = ExportSerializer(data=request.query_params.dict())
        serializer.is_valid(raise_exception=True)
        chosen = self.filter_queryset(self.get_queryset().order_by())
        params = serializer.validated_data
        content = exporting.export(owner_of(request), chosen, params["format"], params["after"])
        return attachment(content, "events", params["format"])

    @extend_schema(responses=HeadSerializer, filters=False)
    @action(detail=False, methods=["get"], url_path="head", pagination_class=None, filter_backends=[])
    def newest_seal(self, request: Request) -> Response:
        """The newest seal of the log, signed. Keep it outside: it shows whether events are missing at the end.

        A log is a root organization's, for its whole tree, so only those see it who may read all of it.
        """
        owner = owner_of(request)
        if owner and not owner.is_root:
            raise LogOfRoot
        return Response(sealing.head(owner))

    def following(self, events: QuerySet[Event], after: str) -> QuerySet[Event]:
        """The published events past this one, which is named by its id or by its `sequence`.

        An event that isn't published yet has none after it.
        """
        sequence: int | Subquery
        if after.isascii() and after.isdigit() and len(after) <= 18:
            sequence = int(after)
        else:
            known = Event.objects.filter(pk__in=[known_id(self.get_queryset(), "evt_", after)])
            sequence = Subquery(known.values("published__sequence"))
        return events.filter(published__sequence__gt=sequence).order_by("published__sequence")
