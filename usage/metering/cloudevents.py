"""CloudEvents 1.0 as usage events: `type` is the meter, `subject` the key or organization, `data` the rest.

`data` gives `quantity` (1 by default), `endpoint`, `status` and `hold`; its other members are the properties.
`dataschema` and extension attributes are not kept. `source` and `id` together identify an event.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from usage.metering import parsing, recording
from usage.metering.parsing import Rejected, UsageRecord
from usage.metering.recording import BatchResult, Result

REQUIRED = ("specversion", "id", "source", "type", "subject")
ATTRIBUTE_LIMIT = 1000  # characters
SUBJECTS = {"key_": "key_id", "acct_": "organization"}
OUR_MEMBERS = ("quantity", "endpoint", "status", "hold")  # of `data`
# Where a CloudEvent has what a usage event has in a field.
ATTRIBUTES = {
    "key_id": "subject",
    "organization": "subject",
    "meter": "type",
    "occurred_at": "time",
    "properties": "data",
    **{name: f"data.{name}" for name in OUR_MEMBERS},
}
# Not printable, so that no source, no id, and no id of a plain usage event contains it.
NO_BREAK_SPACE = "\u00a0"
_JSON_TYPE = re.compile(r"[^/\s]+/([^/;\s]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)


def record(batch: Sequence[Any], clock: Callable[[], datetime] = timezone.now) -> BatchResult:
    """Record CloudEvents as they came in JSON. One result an event, in order, with the event's own `id`.

    As `recording.record`, but rejections name the attributes of CloudEvents.
    """
    recorded = recording.record(batch, clock, parse)
    return BatchResult([_translated(body, result) for body, result in zip(batch, recorded.results, strict=True)])


def identity(source: str, id: str) -> str:
    """The id that the usage event of a CloudEvent is stored under: the source, a no-break space and the id.

    If that is longer than 100 characters: a no-break space and its SHA-256 in hexadecimal digits.
    """
    joined = f"{source}{NO_BREAK_SPACE}{id}"
    if len(joined) <= parsing.ID_LIMIT:
        return joined
    return NO_BREAK_SPACE + hashlib.sha256(joined.encode()).hexdigest()


def parse(body: Any, now: datetime) -> UsageRecord:
    """The usage event of a CloudEvent; `Rejected` if it isn't one."""
    if not isinstance(body, Mapping):
        raise Rejected("invalid", "Expected a JSON object.")
    version, id, source, meter, subject = (_required(body, name) for name in REQUIRED)
    if version != "1.0":
        raise Rejected("invalid", "Expected 1.0.", "specversion")
    owner = next((field for prefix, field in SUBJECTS.items() if subject.startswith(prefix)), None)
    if owner is None:
        raise Rejected("invalid", "Expected the id of a key (key_…) or of an organization (acct_…).", "subject")
    properties = dict(_data(body))
    members = {name: properties.pop(name) for name in OUR_MEMBERS if name in properties}
    event = {owner: subject, "meter": meter, "occurred_at": body.get("time"), "properties": properties, **members}
    # The identity is put in after the check of ids, which refuses a no-break space.
    return replace(parsing.parse({**event, "id": "-"}, now), id=identity(source, id))


def _required(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if value is None:
        raise Rejected("missing", "Required.", name)
    if not isinstance(value, str) or not 1 <= len(value) <= ATTRIBUTE_LIMIT or not value.isprintable():
        raise Rejected("invalid", f"Expected 1 to {ATTRIBUTE_LIMIT} printable characters.", name)
    return value


def _data(body: Mapping[str, Any]) -> Mapping[str, Any]:
    if body.get("data_base64") is not None:
        raise Rejected("invalid", "Binary data is not supported. Send data, a JSON object.", "data_base64")
    media_type = body.get("datacontenttype")
    if media_type is not None and not (isinstance(media_type, str) and _JSON_TYPE.fullmatch(media_type)):
        raise Rejected("invalid", "Expected application/json, or another JSON type.", "datacontenttype")
    data = body.get("data")
    if data is not None and not isinstance(data, Mapping):
        raise Rejected("invalid", "Expected a JSON object.", "data")
    return data or {}


def _translated(body: Any, result: Result) -> Result:
    """The result in the terms of the CloudEvent: its own id, and the attribute that is wrong."""
    id = body.get("id") if isinstance(body, Mapping) else None
    rejection = result.rejection
    if rejection:
        field = ATTRIBUTES.get(rejection.field, rejection.field)
        rejection = Rejected(rejection.code, rejection.message, field)
    return replace(result, id=id[:ATTRIBUTE_LIMIT] if isinstance(id, str) else None, rejection=rejection)
