"""CloudEvents 1.0 as usage events: `type` is the meter, `subject` whose it is, `data` the rest.

`data` gives `quantity` (1 by default), `endpoint`, `status` and `hold`; its other members are the properties.
`dataschema` and extension attributes are not kept. An event is known by its `source` and its `id` together.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.utils import timezone

from usage import metering
from usage.metering import parsing
from usage.metering.parsing import Event, Rejected

REQUIRED = ("specversion", "id", "source", "type", "subject")
ATTRIBUTE_LIMIT = 1000  # characters
SUBJECTS = {"key_": "key_id", "acct_": "organization"}
OUR_MEMBERS = ("quantity", "endpoint", "status", "hold")  # of `data`
# What a field of a usage event is called in a CloudEvent.
NAMES = {
    "key_id": "subject",
    "organization": "subject",
    "meter": "type",
    "occurred_at": "time",
    "properties": "data",
    **{name: f"data.{name}" for name in OUR_MEMBERS},
}
# Is not printable, so that neither a source, nor an id, nor the id of a plain usage event has one.
NO_BREAK_SPACE = "\u00a0"
IDENTITY_LIMIT = 100
_JSON_TYPE = re.compile(r"[^/\s]+/([^/;\s]+\+)?json\s*(;.*)?", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"([a-z_0-9.]+): (.*)", re.DOTALL)


def record(batch: Sequence[Any], clock: Callable[[], datetime] = timezone.now) -> metering.Batch:
    """Record CloudEvents as they came in JSON. One result an event, in order, with the event's own `id`.

    As `metering.record`; the details of what is rejected name the attributes of CloudEvents.
    """
    recorded = metering.record(batch, clock, _parse)
    return metering.Batch([_in_its_terms(raw, one) for raw, one in zip(batch, recorded.results, strict=True)])


def identity(source: str, id: str) -> str:
    """The id of the usage event of a CloudEvent: the source, a no-break space and the id.

    Where that has more than 100 characters, a no-break space and the SHA-256 of it in hexadecimal digits.
    """
    together = f"{source}{NO_BREAK_SPACE}{id}"
    if len(together) <= IDENTITY_LIMIT:
        return together
    return NO_BREAK_SPACE + hashlib.sha256(together.encode()).hexdigest()


def named(detail: str) -> tuple[str, str]:
    """The attribute that a rejection's detail names, `""` where it is the whole event, and what is wrong with it."""
    found = _NAMED.fullmatch(detail)
    return (found[1], found[2]) if found else ("", detail)


def _parse(raw: Any, now: datetime) -> Event:
    if not isinstance(raw, Mapping):
        raise Rejected("invalid", "A CloudEvent is a JSON object.")
    version, id, source, meter, subject = (_required(raw, name) for name in REQUIRED)
    if version != "1.0":
        raise Rejected("invalid", "specversion: 1.0 is the one that is understood.")
    owner = next((field for prefix, field in SUBJECTS.items() if subject.startswith(prefix)), None)
    if owner is None:
        raise Rejected("invalid", "subject: the id of a key (key_…) or of an organization (acct_…).")
    data = dict(_data(raw))
    ours = {name: data.pop(name) for name in OUR_MEMBERS if name in data}
    plain = {owner: subject, "meter": meter, "occurred_at": raw.get("time"), "properties": data, **ours}
    # The identity is put in after the check of ids, which refuses a no-break space to everyone else.
    return replace(parsing.parse({**plain, "id": "-"}, now), id=identity(source, id))


def _required(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        raise Rejected("missing", f"{name}: required.")
    if not isinstance(value, str) or not 1 <= len(value) <= ATTRIBUTE_LIMIT or not value.isprintable():
        raise Rejected("invalid", f"{name}: 1 to {ATTRIBUTE_LIMIT} printable characters.")
    return value


def _data(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    if raw.get("data_base64") is not None:
        raise Rejected("invalid", "data_base64: binary data is not taken; send data, a JSON object.")
    kind = raw.get("datacontenttype")
    if kind is not None and not (isinstance(kind, str) and _JSON_TYPE.fullmatch(kind)):
        raise Rejected("invalid", "datacontenttype: application/json, or another type of JSON.")
    data = raw.get("data")
    if data is not None and not isinstance(data, Mapping):
        raise Rejected("invalid", "data: a JSON object.")
    return data or {}


def _in_its_terms(raw: Any, result: metering.Result) -> metering.Result:
    own = raw.get("id") if isinstance(raw, Mapping) else None
    field, said = named(result.detail)
    detail = f"{NAMES[field]}: {said}" if field in NAMES else result.detail
    return replace(result, id=own[:ATTRIBUTE_LIMIT] if isinstance(own, str) else None, detail=detail)
