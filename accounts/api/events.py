from typing import Any

import django_filters
from django.db.models import QuerySet, Subquery
from rest_framework import mixins, serializers
from rest_framework.viewsets import GenericViewSet

from accounts.api.filters import CreatedFilter, known_id
from accounts.credentials import organization_of
from accounts.events.catalog import API_VERSION
from accounts.models import Event


class ActorSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    id = serializers.CharField(allow_null=True)


class EventSerializer(serializers.ModelSerializer[Event]):
    """What `data` has depends on the `type`: see `webhooks` in this document. `sequence` is null before publication."""

    id = serializers.CharField(source="public_id", read_only=True)
    timestamp = serializers.DateTimeField(source="created_at", read_only=True)
    organization = serializers.CharField(source="organization.public_id", read_only=True)
    sequence = serializers.IntegerField(source="published.sequence", default=None, allow_null=True, read_only=True)
    api_version = serializers.CharField(default=API_VERSION, read_only=True)
    actor = ActorSerializer(read_only=True, allow_null=True)
    targets = serializers.ListField(child=serializers.CharField(), read_only=True, allow_null=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]

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
            "created_at",
        ]
        read_only_fields = fields


class EventFilter(CreatedFilter):
    type = django_filters.CharFilter()

    class Meta:
        model = Event
        fields: list[str] = []


class EventViewSet(mixins.ListModelMixin, GenericViewSet[Event]):
    """What happened in the current organization and beneath it: newest first, or in order `after` an event."""

    scopes = {"list": "audit:read"}
    serializer_class = EventSerializer
    filterset_class = EventFilter
    queryset = Event.objects.none()

    def get_queryset(self) -> QuerySet[Event]:
        events = Event.objects.within(organization_of(self.request)).select_related("organization", "published")
        return events.order_by("-id")

    def following(self, events: QuerySet[Event], after: str) -> QuerySet[Event]:
        """The published events past this one, which is named by its id or by its `sequence`.

        Past one that isn't published yet there is nothing yet.
        """
        sequence: int | Subquery
        if after.isascii() and after.isdigit() and len(after) <= 18:
            sequence = int(after)
        else:
            known = Event.objects.filter(pk__in=[known_id(self.get_queryset(), "evt_", after)])
            sequence = Subquery(known.values("published__sequence"))
        return events.filter(published__sequence__gt=sequence).order_by("published__sequence")
