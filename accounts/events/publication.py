"""Gives committed events their `sequence`: per root organization, from 1 on, without gaps.

The id of an event is made before its transaction commits, so a reader who remembers the last id misses an event that
commits late. A sequence is given only after the commit, by one publisher of a root at a time, and it becomes visible in
order. A reader by `after=` therefore misses nothing.
"""

from collections.abc import Callable, Sequence
from uuid import UUID

from django.db import transaction

from accounts.lib import sql
from accounts.models import Organization, UnpublishedEvent

BATCH = 500

FanOut = Callable[[UUID, Sequence[UUID]], None]

# Two publishers of one root would give the same numbers. The lock ends with the transaction.
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('publication of ' || %(root)s::uuid, 0))"

# The numbers go on from the highest one. `sequence` has an index by root, so max() reads one entry of it.
PUBLISH = """
INSERT INTO accounts_publishedevent (event_id, root_id, sequence, published_at)
SELECT event_id, %(root)s::uuid, highest + row_number() OVER (ORDER BY event_id), now()
FROM unnest(%(events)s::uuid[]) AS event_id,
     (SELECT coalesce(max(sequence), 0) AS highest FROM accounts_publishedevent WHERE root_id = %(root)s::uuid) AS last
"""


def publish_due(fan_out: FanOut) -> int:
    """Publishes every event that waits, and returns how many there were.

    `fan_out` gets each root and batch in the transaction that publishes it.
    """
    roots = Organization.objects.filter(pk__in=UnpublishedEvent.objects.values("event__organization__root"))
    return sum(_publish_all(root, fan_out) for root in roots.values_list("pk", flat=True))


def _publish_all(root: UUID, fan_out: FanOut) -> int:
    published = 0
    while batch := _publish(root, fan_out):
        published += batch
    return published


@transaction.atomic
def _publish(root: UUID, fan_out: FanOut) -> int:
    """Publishes one batch of a root's events.

    The lock is a statement of its own, so that the next one sees what was committed while it waited.
    """
    sql.rows(LOCK, {"root": root})
    waiting = UnpublishedEvent.objects.filter(event__organization__root=root).order_by("event_id")
    events = list(waiting.values_list("event_id", flat=True)[:BATCH])
    if events:
        sql.rows(PUBLISH, {"root": root, "events": events})
        fan_out(root, events)
        UnpublishedEvent.objects.filter(event__in=events).delete()
    return len(events)
