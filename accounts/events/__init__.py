"""What happened: one row an event, written in the transaction that made it happen and published after its commit."""

from accounts.events.actors import SYSTEM, Actor, actor_of
from accounts.events.catalog import TYPES, EventType, UnregisteredEventType
from accounts.events.recording import record

__all__ = ["SYSTEM", "TYPES", "Actor", "EventType", "UnregisteredEventType", "actor_of", "record"]
