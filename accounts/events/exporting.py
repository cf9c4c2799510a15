"""Exports of a log, in the order of its sequence: an organization's events with those beneath it, or the company's."""

from collections.abc import Iterator

from django.db.models import QuerySet
from django.utils import timezone

from accounts.events import sealing
from accounts.events.recording import record
from accounts.lib import chains, exact_json, spreadsheets
from accounts.lib.spreadsheets import Cell
from accounts.models import Event, Organization, PublishedEvent

MOST = 10_000
FORMATS = ("jsonl", "csv")
COLUMNS = (
    *("sequence", "id", "timestamp", "organization", "type", "actor_kind", "actor_id", "targets"),
    *("data", "context", "personal", "digest"),
)


def export(owner: Organization | None, chosen: QuerySet[Event], format: str, after: int) -> bytes:
    """The chosen events past the sequence `after`, within 10,000 places of the first of them. It is an event itself.

    Events in between that are not chosen are left out of a table. In JSON Lines their digests stand in their places, so
    that the file proves that nothing was changed.
    """
    published = chosen.filter(published__sequence__gt=after).order_by("published__sequence")
    first = published.values_list("published__sequence", flat=True).first() or after + 1
    published = published.filter(published__sequence__lt=first + MOST)
    rows = list(published.select_related("published", "organization", "personal_data"))
    content = _table(rows) if format == "csv" else _lines(owner.root if owner else None, first, rows)
    data = {"format": format, "first": first, "events": len(rows)}
    targets = [owner.public_id] if owner else []
    record(owner.pk if owner else None, "event_log.exported", data, timezone.now(), targets=targets)
    return content


def _lines(root: Organization | None, first: int, rows: list[Event]) -> bytes:
    file = chains.File(sealing.LOG, root.public_id if root else None, first, sealing.digest_at(root, first - 1))
    chosen = {event.pk: event for event in rows}
    last = rows[-1].published.sequence if rows else first - 1
    for place in _places(root, first, last):
        event = chosen.get(place.event_id)
        text, sealed = sealing.line(place.event, place.sequence), bytes(place.digest)
        if event:
            file.add("event", text, sealed, **_personal(event))
        else:
            file.leave_out(text, sealed)
    return file.signed(sealing.sign)


def _places(root: Organization | None, first: int, last: int) -> Iterator[PublishedEvent]:
    places = PublishedEvent.objects.filter(root=root, sequence__range=(first, last)).order_by("sequence")
    return places.select_related("event__organization").iterator(chunk_size=1000)


def _personal(event: Event) -> dict[str, str]:
    """What the event's `personal_digest` is of, unless it was erased."""
    kept = getattr(event, "personal_data", None)
    return {"personal": kept.text, "salt": bytes(kept.salt).hex()} if kept else {}


def _table(rows: list[Event]) -> bytes:
    return spreadsheets.csv_of(COLUMNS, map(_cells, rows))


def _cells(event: Event) -> tuple[Cell, ...]:
    kept, actor = getattr(event, "personal_data", None), event.actor or {}
    return (
        event.published.sequence,
        event.public_id,
        sealing.written(event.created_at),
        event.organization.public_id if event.organization else None,
        event.type,
        actor.get("kind"),
        actor.get("id"),
        " ".join(event.targets or []),
        exact_json.dumps(event.data),
        exact_json.dumps(event.context),
        kept.text if kept else None,
        bytes(event.published.digest).hex(),
    )
