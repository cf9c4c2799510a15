"""Deliveries: made for each published event, claimed by an endpoint, sent without a transaction, and recorded.

A worker leases an endpoint, and sends its deliveries in turn. A failure ends the turn. So one slow endpoint takes one
place, however much waits for it. Failing endpoints have few places of their own, so that many of them don't keep the
good ones waiting.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts import events
from accounts.lib import broker
from accounts.models import Attempt, Delivery, Event, PublishedEvent, WebhookEndpoint
from accounts.webhooks import bodies, endpoints, sending, signing

LEASE = timedelta(seconds=2 * sending.DEADLINE_SECONDS)
TURN = 20  # deliveries of one endpoint before others have their turn
CIRCUIT = 3  # failures in a row, after which one delivery is the probe and the rest waits
DISABLE_AFTER = timedelta(days=5)
THROTTLED = (429, 502, 504)
THROTTLE = timedelta(seconds=60)
KEPT = timedelta(days=30)
GONE = 410

# How long to wait after the first, second … failure; after the last one the delivery has failed.
DELAYS = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
MOST_ATTEMPTS = len(DELAYS) + 1
JITTER = 0.2

Status = Delivery.Status


@dataclass(frozen=True)
class Work:
    """One attempt: what a thread needs to send, and what proves afterwards that the lease was still held."""

    endpoint: UUID
    token: int
    failing: bool
    delivery: UUID
    webhook_id: str
    url: str
    body: bytes
    secrets: tuple[str, ...]
    turn: int

    def send(self) -> sending.Answer:
        headers = signing.headers(self.webhook_id, int(timezone.now().timestamp()), self.body, self.secrets)
        return sending.post(self.url, self.body, {"content-type": "application/json", **headers})


def fan_out(root: UUID, published: Sequence[UUID]) -> None:
    """Makes the deliveries of events that are being published, in the same transaction."""
    rows = list(WebhookEndpoint.objects.filter(organization__root=root).exclude(disabled_reason=endpoints.MANUALLY))
    if not rows:
        return
    places = PublishedEvent.objects.filter(event__in=published).select_related("event__organization")
    made = [
        Delivery(
            endpoint=endpoint,
            event=place.event,
            sequence=place.sequence,
            body=bodies.of_event(place.event, place.sequence),
        )
        for place in places
        for endpoint in rows
        if takes(endpoint, place.event)
    ]
    Delivery.objects.bulk_create(made, ignore_conflicts=True)
    if made:
        broker.nudge(endpoints.DELIVER)


def takes(endpoint: WebhookEndpoint, event: Event) -> bool:
    """Whether the event is of its organization, or of one beneath it if it wants those, and of a type that it chose."""
    if endpoint.organization_id != event.organization_id and not (
        endpoint.includes_subtree and endpoint.organization_id in event.organization.path
    ):
        return False
    if event.type in endpoint.event_types:
        return True
    type = events.TYPES.get(event.type)
    return endpoints.EVERYTHING in endpoint.event_types and not (type and type.audit_only)


@transaction.atomic
def claim(*, failing: bool) -> Work | None:
    """Leases the endpoint that has waited longest, and begins an attempt of it. `failing` is the lane."""
    now = timezone.now()
    pending = Delivery.objects.filter(endpoint=OuterRef("pk"), status=Status.PENDING)
    due = Exists(pending.filter(next_attempt_at__lte=now)) | Q(failures__gte=CIRCUIT) & Exists(pending)
    free = Q(leased_until=None) | Q(leased_until__lte=now)
    rested = Q(next_attempt_at=None) | Q(next_attempt_at__lte=now)
    lane = Q(failures__gt=0) if failing else Q(failures=0)
    rows = WebhookEndpoint.objects.select_for_update(skip_locked=True, no_key=True)
    rows = rows.filter(due, free, rested, lane, status=WebhookEndpoint.Status.ENABLED)
    endpoint = rows.order_by(F("worked_at").asc(nulls_first=True)).first()
    if endpoint is None:
        return None
    endpoint.lease_token += 1
    return _begin(endpoint, now, turn=1)


def _begin(endpoint: WebhookEndpoint, now: datetime, turn: int) -> Work | None:
    """Begins an attempt of the oldest delivery that is due, or gives the lease back. The endpoint is locked."""
    rows = endpoint.deliveries.filter(status=Status.PENDING)
    if endpoint.failures < CIRCUIT:
        rows = rows.filter(next_attempt_at__lte=now)
    delivery = rows.order_by("sequence").select_related("event").first() if turn <= TURN else None
    endpoint.worked_at, endpoint.leased_until = now, now + LEASE if delivery else None
    endpoint.save(update_fields=["lease_token", "leased_until", "worked_at"])
    if delivery is None:
        return None
    delivery.attempt_count += 1
    delivery.save(update_fields=["attempt_count"])
    return Work(
        endpoint.pk,
        endpoint.lease_token,
        endpoint.failures > 0,
        delivery.pk,
        delivery.event.public_id,
        endpoint.url,
        bytes(delivery.body),
        tuple(endpoints.live_secrets(endpoint, now)),
        turn,
    )


@transaction.atomic
def record(work: Work, answer: sending.Answer) -> Work | None:
    """Writes down what an attempt came to, and begins the next one of the turn.

    If the lease has run out and another worker holds it, nothing is written: the event is sent again by that one.
    """
    now = timezone.now()
    rows = WebhookEndpoint.objects.select_for_update(no_key=True)
    endpoint = rows.filter(pk=work.endpoint, lease_token=work.token).first()
    delivery = Delivery.objects.filter(pk=work.delivery).first()
    if endpoint is None or delivery is None:
        return None
    Attempt.objects.create(
        delivery=delivery,
        number=delivery.attempt_count,
        status=answer.status,
        error=answer.error,
        address=answer.address,
        duration_ms=answer.duration_ms,
        answer=answer.body,
    )
    if answer.is_success:
        _succeeded(endpoint, delivery, now)
        return _begin(endpoint, now, work.turn + 1) if endpoint.status == WebhookEndpoint.Status.ENABLED else None
    _failed(endpoint, delivery, answer, now)
    return None


def _succeeded(endpoint: WebhookEndpoint, delivery: Delivery, now: datetime) -> None:
    delivery.status = Status.SUCCEEDED
    delivery.save(update_fields=["status"])
    if endpoint.failures:  # it works again, so what waits for it is due
        endpoint.deliveries.filter(status=Status.PENDING).update(next_attempt_at=now)
        endpoint.failures, endpoint.first_failed_at, endpoint.next_attempt_at = 0, None, None
    endpoint.leased_until = None
    endpoint.save(update_fields=["failures", "first_failed_at", "next_attempt_at", "leased_until"])


def _failed(endpoint: WebhookEndpoint, delivery: Delivery, answer: sending.Answer, now: datetime) -> None:
    delivery.next_attempt_at = now + delay(delivery.attempt_count, answer, now)
    if delivery.attempt_count >= MOST_ATTEMPTS:
        delivery.status = Status.FAILED
    delivery.save(update_fields=["status", "next_attempt_at"])
    endpoint.failures += 1
    endpoint.first_failed_at = endpoint.first_failed_at or now
    if endpoint.failures >= CIRCUIT:
        endpoint.next_attempt_at = now + delay(endpoint.failures, answer, now)
    endpoint.leased_until, endpoint.worked_at = None, now
    endpoint.save(update_fields=["failures", "first_failed_at", "next_attempt_at", "leased_until", "worked_at"])
    if endpoint.status == WebhookEndpoint.Status.ENABLED:
        if answer.status == GONE:
            endpoints.stop(endpoint, endpoints.GONE)
        elif now - endpoint.first_failed_at >= DISABLE_AFTER:
            endpoints.stop(endpoint, endpoints.FAILING)


def delay(failures: int, answer: sending.Answer, now: datetime) -> timedelta:
    """The schedule's, with jitter. Retry-After counts from that up to twice as long."""
    base = DELAYS[min(failures, len(DELAYS)) - 1]
    if answer.status in THROTTLED or answer.error == "timeout":
        base = max(base, THROTTLE)
    wanted = _retry_after(answer.retry_after, now)
    if wanted > base:
        return min(wanted, 2 * base)
    return base * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311


def _retry_after(text: str, now: datetime) -> timedelta:
    try:
        if text.isascii() and text.isdigit():
            return timedelta(seconds=min(int(text[:9]), 10**8))
        return parsedate_to_datetime(text) - now
    except (ValueError, TypeError, OverflowError):
        return timedelta()


def purge() -> int:
    """Deletes the log of deliveries that are older than 30 days, with what was held so long."""
    return Delivery.objects.filter(created_at__lte=timezone.now() - KEPT).delete()[0]
