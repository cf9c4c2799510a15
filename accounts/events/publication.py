"""Gives committed events their `sequence`: per root organization, from 1 on, without gaps. And seals them.

The id of an event is made before its transaction commits, so a reader who remembers the last id misses an event that
commits late. A sequence is given only after the commit, by one publisher of a root at a time, and it becomes visible in
order. A reader by `after=` therefore misses nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts.events import sealing
from accounts.lib import chains, sql
from accounts.models import Event, Organization, PublishedEvent, UnpublishedEvent

BATCH = 500

Root = UUID | None  # None is the company's own log
FanOut = Callable[[Root, Sequence[UUID]], None]

# Two publishers of one root would give the same numbers. The lock ends with the transaction.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('publication of ' || %(root)s, 0))"


def publish_due(fan_out: FanOut) -> int:
    """Publishes every event that waits, and returns how many there were.

    `fan_out` gets each root and batch in the transaction that publishes it.
    """
    waiting = Organization.objects.filter(pk__in=UnpublishedEvent.objects.values("event__organization__root"))
    roots: list[Root] = list(waiting.values_list("pk", flat=True))
    return sum(_publish_all(root, fan_out) for root in [*roots, None])


def _publish_all(root: Root, fan_out: FanOut) -> int:
    published = 0
    while batch := _publish(root, fan_out):
        published += batch
    return published


@transaction.atomic
def _publish(root: Root, fan_out: FanOut) -> int:
    """Publishes one batch of a root's events.

    The lock is a statement of its own, so that the next one sees what was committed while it waited.
    """
    sql.rows(LOCK, {"root": str(root or "the company")})
    waiting = Event.objects.filter(unpublished__isnull=False, organization__root=root).select_related("organization")
    events = list(waiting.order_by("id")[:BATCH])
    if events:
        PublishedEvent.objects.bulk_create(_sealed(root, events))
        published = [event.pk for event in events]
        fan_out(root, published)
        UnpublishedEvent.objects.filter(event__in=published).delete()
    return len(events)


def _sealed(root: Root, events: Sequence[Event]) -> Iterator[PublishedEvent]:
    """The places that follow the root's last one."""
    last = PublishedEvent.objects.filter(root=root).order_by("-sequence").first()
    sequence, digest = (last.sequence, bytes(last.digest)) if last else (0, chains.START)
    now = timezone.now()
    for event in events:
        sequence += 1
        digest = chains.chained(digest, chains.line_digest(sealing.line(event, sequence)))
        yield PublishedEvent(event=event, root_id=root, sequence=sequence, digest=digest, published_at=now)
