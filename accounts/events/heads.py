"""Once a day each log's newest seal leaves the database, as an event: to the webhooks, and to whoever polls."""

from datetime import datetime, timedelta

from accounts.events import sealing
from accounts.events.actors import SYSTEM
from accounts.events.recording import record
from accounts.lib import identifiers
from accounts.models import Event, Organization

TYPE = "event_log.sealed"
DAY = timedelta(days=1)


def announce(now: datetime) -> int:
    """Records the newest seal of each log in which something happened in the last day. Returns how many there were."""
    recent = Event.objects.filter(pk__gte=identifiers.first_uuid7(now - DAY)).exclude(type=TYPE)
    roots = Organization.objects.filter(pk__in=recent.values("organization__root"))
    for root in roots:
        record(root.pk, TYPE, sealing.head(root), now, actor=SYSTEM, targets=[root.public_id])
    is_company_recent = recent.filter(organization=None).exists()
    if is_company_recent:
        record(None, TYPE, sealing.head(None), now, actor=SYSTEM)
    return len(roots) + is_company_recent
