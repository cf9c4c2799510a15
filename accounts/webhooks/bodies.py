"""The bytes of an event, as an endpoint receives them: the same members that `GET /v1/events` shows."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from accounts.events.catalog import API_VERSION
from accounts.lib import exact_json
from accounts.models import Event

LARGEST = 64 << 10


def of_event(event: Event, sequence: int) -> bytes:
    """Its `data` is left out, and `truncated` says so, if the whole would be larger than 64 KiB."""
    members = {
        "id": event.public_id,
        "type": event.type,
        "timestamp": _moment(event.created_at),
        "organization": event.organization.public_id if event.organization else None,
        "sequence": sequence,
        "api_version": API_VERSION,
        "actor": event.actor,
        "targets": event.targets or [],
        "data": event.data,
    }
    body = _dumps(members)
    return body if len(body) <= LARGEST else _dumps({**members, "targets": [], "data": {}, "truncated": True})


def of_test(id: str, organization: str | None, endpoint: str, now: datetime) -> bytes:
    """An event that never happened, to try an endpoint."""
    return _dumps(
        {
            "id": id,
            "type": "webhook_endpoint.tested",
            "timestamp": _moment(now),
            "organization": organization,
            "sequence": None,
            "api_version": API_VERSION,
            "actor": None,
            "targets": [endpoint],
            "data": {"webhook_endpoint": endpoint},
        }
    )


def _dumps(members: Mapping[str, Any]) -> bytes:
    return exact_json.dumps(members).encode()


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
