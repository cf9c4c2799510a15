"""Deliveries: made for each published event, and kept for 30 days."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from accounts import events
from accounts.lib import broker
from accounts.models import Delivery, Event, PublishedEvent, WebhookEndpoint
from accounts.webhooks import bodies, endpoints

KEPT = timedelta(days=30)
BATCH = 1000


def fan_out(root: UUID | None, published: Sequence[UUID]) -> None:
    """Makes the deliveries of events that are being published, in the same transaction."""
    company = Q(organization=None)
    among = WebhookEndpoint.objects.kept().filter(company | Q(organization__root=root) if root else company)
    rows = list(among.exclude(disabled_reason=endpoints.MANUALLY))
    if not rows:
        return
    places = PublishedEvent.objects.filter(event__in=published).select_related("event__organization")
    made = [delivery for place in places.order_by("sequence") for delivery in _deliveries(place, rows)]
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    if made:
        broker.nudge(endpoints.DELIVER)


def _deliveries(place: PublishedEvent, rows: Sequence[WebhookEndpoint]) -> list[Delivery]:
    takers = [endpoint for endpoint in rows if takes(endpoint, place.event)]
    body = bodies.of_event(place.event, place.sequence) if takers else b""
    return [Delivery(endpoint=endpoint, event=place.event, sequence=place.sequence, body=body) for endpoint in takers]


def takes(endpoint: WebhookEndpoint, event: Event) -> bool:
    """Whether it is an event of its organization, or of one beneath it if it wants those, and of a type it chose."""
    return _reaches(endpoint, event) and _chooses(endpoint, event)


def _reaches(endpoint: WebhookEndpoint, event: Event) -> bool:
    if endpoint.organization_id in (None, event.organization_id):
        return True
    path = event.organization.path if event.organization else []
    return endpoint.includes_subtree and endpoint.organization_id in path


def _chooses(endpoint: WebhookEndpoint, event: Event) -> bool:
    if event.type in endpoint.event_types:
        return True
    type = events.TYPES.get(event.type)
    return endpoints.EVERYTHING in endpoint.event_types and not (type and type.audit_only)


def purge() -> int:
    """Deletes deliveries that are older than 30 days, also held ones, and the endpoints that were deleted."""
    gone = WebhookEndpoint.objects.filter(status=WebhookEndpoint.Status.DELETED)
    count = _delete(Delivery.objects.filter(created_at__lte=timezone.now() - KEPT))
    count += _delete(Delivery.objects.filter(endpoint__in=gone))
    return count + gone.delete()[0]


def _delete(deliveries: QuerySet[Delivery]) -> int:
    """In batches: each is a short transaction, and takes little memory."""
    count = 0
    while ids := list(deliveries.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        count += Delivery.objects.filter(pk__in=ids).delete()[0]
    return count
