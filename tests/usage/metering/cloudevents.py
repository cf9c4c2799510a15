"""CloudEvents as callers send them."""

from itertools import count
from typing import Any

import simplejson

from accounts.models import Organization
from apikeys.models import ApiKey
from tests.conftest import Api

EVENTS = "/v1/usage/events"
OPENMETER = "/api/v1/events"
ONE = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"

_numbers = count(1)


def cloudevent(owner: Organization | ApiKey, **attributes: Any) -> dict[str, Any]:
    """An event of a request, with an id of its own unless one is given. `...` leaves an attribute out."""
    members = {
        "specversion": "1.0",
        "id": f"c{next(_numbers)}",
        "source": "my-app",
        "type": "requests",
        "subject": owner.public_id,
        **attributes,
    }
    return {name: value for name, value in members.items() if value is not ...}


def send(gateway: Api, path: str, body: Any, kind: str = "", **headers: str) -> Any:
    """POST a body, as what it looks like unless a media type is given."""
    kind = kind or (BATCH if isinstance(body, list) else ONE)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    text = body if isinstance(body, str | bytes) else simplejson.dumps(body, allow_nan=True)
    return gateway.client.post(path, text, content_type=kind, headers={**gateway.headers, **named})
