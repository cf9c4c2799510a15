import django_filters
from django.db.models import QuerySet
from rest_framework import mixins, serializers
from rest_framework.viewsets import GenericViewSet

from accounts.api.filters import CreatedFilter
from accounts.credentials import organization_of
from accounts.models import Event


class EventSerializer(serializers.ModelSerializer[Event]):
    """Which members `data` has depends on the `type`."""

    id = serializers.CharField(source="public_id", read_only=True)
    organization = serializers.CharField(source="organization.public_id", read_only=True)
    data = serializers.DictField(read_only=True)  # type: ignore[assignment]

    class Meta:
        model = Event
        fields = ["id", "type", "organization", "data", "created_at"]
        read_only_fields = fields


class EventFilter(CreatedFilter):
    type = django_filters.CharFilter()

    class Meta:
        model = Event
        fields: list[str] = []


class EventViewSet(mixins.ListModelMixin, GenericViewSet[Event]):
    """Events of the current organization and of all beneath it, newest first."""

    scopes = {"list": "audit:read"}
    serializer_class = EventSerializer
    filterset_class = EventFilter
    queryset = Event.objects.none()

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.within(organization_of(self.request)).select_related("organization").order_by("-id")
