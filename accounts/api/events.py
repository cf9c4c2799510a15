from typing import Any

import django_filters
from django.db.models import QuerySet
from rest_framework import mixins, serializers
from rest_framework.viewsets import GenericViewSet

from accounts.api.filters import CreatedFilter, known_id
from accounts.credentials import organization_of
from accounts.events.catalog import API_VERSION
from accounts.models import Event
from accounts.models.events import EventQuerySet


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
    """With `after`, the published events past that sequence, in order; otherwise the newest first."""

    type = django_filters.CharFilter()
    after = django_filters.NumberFilter(
        max_digits=18, decimal_places=0, min_value=0, method="filter_after", label="A sequence; 0 is before the first"
    )

    class Meta:
        model = Event
        fields: list[str] = []

    def filter_after(self, queryset: QuerySet[Event], name: str, value: int) -> QuerySet[Event]:
        return queryset.filter(published__sequence__gt=value).order_by("published__sequence")


class EventViewSet(mixins.ListModelMixin, GenericViewSet[Event]):
    """What happened in the current organization and beneath it: newest first, or in order `after` a sequence."""

    scopes = {"list": "audit:read"}
    serializer_class = EventSerializer
    filterset_class = EventFilter
    queryset = Event.objects.none()

    def get_queryset(self) -> EventQuerySet:
        events = Event.objects.within(organization_of(self.request)).select_related("organization", "published")
        return events.order_by("-id")

    def following(self, events: EventQuerySet, id: str) -> QuerySet[Event]:
        """Events after the one with this id, in the order in which they were committed."""
        return events.following(known_id(self.get_queryset(), "evt_", id))
