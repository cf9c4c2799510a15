"""The seal of events: a chain of digests, so that no event can be changed, removed or moved unseen.

Each event is one line of JSON. Its digest is the SHA-256 of the digest before it and of the line's own SHA-256. So one
can prove a list of events of which some are left out: of those, the SHA-256 of the line is enough.
"""

import hashlib
from datetime import UTC, datetime

from accounts.events.catalog import API_VERSION
from accounts.lib import exact_json
from accounts.models import Event

START = bytes(32)  # before the first event of an organization


def line(event: Event, sequence: int) -> str:
    """What is sealed, of an event as the database returns it: jsonb keeps an order of its own.

    It must stay the same for ever, to the letter: exports are proved by it.
    """
    return exact_json.dumps(
        {
            "id": event.public_id,
            "type": event.type,
            "timestamp": written(event.created_at),
            "organization": event.organization.public_id,
            "sequence": sequence,
            "api_version": API_VERSION,
            "actor": event.actor,
            "targets": event.targets,
            "data": event.data,
            "context": event.context,
            "personal_digest": bytes(event.personal_digest).hex() if event.personal_digest else None,
        }
    )


def line_digest(line: str) -> bytes:
    return hashlib.sha256(line.encode()).digest()


def chained(previous: bytes, digest: bytes) -> bytes:
    """The digest of an event, from the one before it and that of its own line."""
    return hashlib.sha256(previous + digest).digest()


def personal_digest(salt: bytes, text: str) -> bytes:
    return hashlib.sha256(salt + text.encode()).digest()


def written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
