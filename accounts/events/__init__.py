"""Events: one row each, written in the same transaction as the change and published after its commit."""

from accounts.events import origin, security_types, types, webhook_types  # noqa: F401 (registers their types)
from accounts.events.actors import SYSTEM, Actor, actor_of, platform_actor
from accounts.events.catalog import TYPES, EventType, UnregisteredEventType
from accounts.events.recording import plain, record, record_all, record_change

__all__ = [
    "SYSTEM",
    "TYPES",
    "Actor",
    "EventType",
    "UnregisteredEventType",
    "actor_of",
    "origin",
    "plain",
    "platform_actor",
    "record",
    "record_all",
    "record_change",
]
