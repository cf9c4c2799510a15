"""Lines of a proxy's access log as usage events: JSON, or the common and the combined format."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

# host ident user [time] "method target protocol" status bytes, and then whatever the combined format adds
COMBINED = re.compile(
    r"\S+ \S+ .*?\[(?P<time>[^\]]{1,40})\] "
    r'"(?P<request>(?:[^"\\]|\\.)*)" '
    r"(?P<status>\d{3}) (?:\d+|-)(?: .*)?"
)
COMBINED_TIME = "%d/%b/%Y:%H:%M:%S %z"
# Members of a line, and where they are in its JSON: names with dots between, for objects and lists within each other.
FIELDS = {
    "id": "id",
    "key_id": "key_id",
    "organization": "organization",
    "meter": "meter",
    "quantity": "quantity",
    "endpoint": "endpoint",
    "status": "status",
    "occurred_at": "time",
    "hold": "hold",
}


class Unreadable(ValueError):
    """The line has an unknown format."""


@dataclass(frozen=True)
class Format:
    """How lines become events. `defaults` are members that the lines lack, such as the organization."""

    defaults: Mapping[str, str] = field(default_factory=dict)
    fields: Mapping[str, str] = field(default_factory=lambda: dict(FIELDS))

    def event(self, line: str, identity: str) -> dict[str, Any] | None:
        """The event of one line, under its own `id` or `identity`. None if the request had no key, so that it isn't
        usage.

        Raises `Unreadable`.
        """
        members = self._json(line) if line.startswith("{") else _combined(line)
        event = {"id": identity, **self.defaults, **members}
        if not (event.get("key_id") or event.get("organization")):
            return None
        event["endpoint"] = re.split(r"[?#]", str(event.get("endpoint", "")), maxsplit=1)[0] or "/"
        event["occurred_at"] = _moment(event.get("occurred_at"))
        event["status"] = str(event.get("status") or "success")
        return event

    def _json(self, line: str) -> dict[str, Any]:
        try:
            document = json.loads(line, parse_float=Decimal)
        except ValueError as error:
            raise Unreadable(str(error)) from error
        members = {name: _at(document, path.split(".")) for name, path in self.fields.items()}
        return {name: value for name, value in members.items() if value not in (None, "", "-")}


def _at(value: Any, path: list[str]) -> Any:
    for name in path:
        if isinstance(value, list) and value:
            value = value[0]
        value = value.get(name) if isinstance(value, dict) else None
    return value[0] if isinstance(value, list) and value else value


def _combined(line: str) -> dict[str, Any]:
    match = COMBINED.fullmatch(line.strip())
    if match is None:
        raise Unreadable("neither JSON nor the common or combined log format")
    target = [*match["request"].split(), "", ""][1]
    return {"endpoint": target, "status": match["status"], "occurred_at": match["time"]}


def _moment(value: Any) -> str:
    """Converts a time as proxies write it (ISO 8601, seconds since 1970, or the combined format) to RFC 3339."""
    try:
        if isinstance(value, int | Decimal):
            return datetime.fromtimestamp(float(value), UTC).isoformat()
        text = str(value)
        if re.match(r"\d{1,2}/", text):
            return datetime.strptime(text, COMBINED_TIME).isoformat()
        moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise Unreadable(f"no moment: {value!r}") from error
    if moment.tzinfo is None:
        raise Unreadable(f"a moment without its zone: {value!r}")
    return moment.isoformat()
