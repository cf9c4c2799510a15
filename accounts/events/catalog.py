"""The registry of event types. Each has a name, the JSON schema of its `data`, and an example.

Each app registers its own types in its module `events`, which Django imports at the start. Fields are only added to a
type. A change that would break a reader is a new type.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.text import capfirst

Schema = Mapping[str, Any]

API_VERSION = "v1"


class UnregisteredEventType(ValueError):
    """The event's type is not in the registry. This is a bug in our code."""


@dataclass(frozen=True)
class EventType:
    """`properties` are the members of `data`, as JSON schemas, and `optional` those that may be missing.

    An event that is only for audits goes to a webhook endpoint only if its maker may read the audit log.
    """

    name: str
    description: str
    properties: Mapping[str, Schema]
    example: Mapping[str, Any]
    optional: frozenset[str] = frozenset()
    audit_only: bool = False

    @property
    def noun(self) -> str:
        """What it is about, for people: `API key` of `api_key.created`."""
        return capfirst(self.name.partition(".")[0].replace("_", " ").replace("api", "API"))

    @property
    def schema(self) -> dict[str, Any]:
        """The JSON schema of `data`."""
        return {
            "type": "object",
            "properties": {name: dict(schema) for name, schema in self.properties.items()},
            "required": [name for name in self.properties if name not in self.optional],
        }


TEXT: Schema = {"type": "string"}
INTEGER: Schema = {"type": "integer"}
NUMBER: Schema = {"type": "number", "format": "decimal"}
NUMBER_OR_NULL: Schema = {"type": ["number", "null"], "format": "decimal"}
FIELDS: Schema = {"type": "object", "description": "Values by the name of the field"}
NAMES: Schema = {"type": "array", "items": {"type": "string"}}
TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
# The data that `record_change` writes. `fields` also names fields with personal values, which are in neither of the
# two.
CHANGES: Mapping[str, Schema] = {"fields": NAMES, "before": FIELDS, "after": FIELDS, "actor": TEXT_OR_NULL}
OPERATOR = "user:7"  # in examples

TYPES: dict[str, EventType] = {}


def register(*types: EventType) -> None:
    """Adds an app's types to the registry."""
    for type in types:
        if type.name in TYPES:
            raise ValueError(f"{type.name} is registered twice.")
        TYPES[type.name] = type


def require(name: str) -> EventType:
    """The registered type of this name."""
    try:
        return TYPES[name]
    except KeyError as error:
        raise UnregisteredEventType(f"{name} is not a registered event type.") from error
