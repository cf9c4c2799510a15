"""The seal of events: a chain of digests, so that no event can be changed, removed or moved unseen."""

import hashlib
from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from accounts import signing
from accounts.events.catalog import API_VERSION
from accounts.lib import chains, exact_json
from accounts.models import Event, Organization, PublishedEvent

LOG = "events"


def line(event: Event, sequence: int) -> str:
    """What is sealed, of an event as the database returns it: jsonb keeps an order of its own.

    It must stay the same for ever, to the letter: exports are proved by it.
    """
    return exact_json.dumps(
        {
            "id": event.public_id,
            "type": event.type,
            "timestamp": written(event.created_at),
            "organization": event.organization.public_id if event.organization else None,
            "sequence": sequence,
            "api_version": API_VERSION,
            "actor": event.actor,
            "targets": event.targets,
            "data": event.data,
            "context": event.context,
            "personal_digest": bytes(event.personal_digest).hex() if event.personal_digest else None,
        }
    )


def personal_digest(salt: bytes, text: str) -> bytes:
    return hashlib.sha256(salt + text.encode()).digest()


def digest_at(root: Organization | None, sequence: int) -> bytes:
    """The digest of the event with this sequence, and so of all before it."""
    place = PublishedEvent.objects.filter(root=root, sequence=sequence).first()
    return bytes(place.digest) if place else chains.START


def head(root: Organization | None) -> dict[str, Any]:
    """The newest seal of a log, signed. Kept outside, it shows later whether events are missing at the end."""
    place = PublishedEvent.objects.filter(root=root).order_by("-sequence").first()
    last, digest = (place.sequence, bytes(place.digest)) if place else (0, chains.START)
    claims = {"log": LOG, "organization": root.public_id if root else None, "last": last, "digest": digest.hex()}
    return {**claims, "signature": sign(claims)}


def sign(claims: Any) -> str:
    return signing.seal({**claims, "signed_at": written(timezone.now())})


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
