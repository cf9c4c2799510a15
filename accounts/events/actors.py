"""The actor of an event: an id and its kind, never a name or an address."""

from dataclasses import dataclass
from typing import Self

from accounts.credentials import Credential, Kind

KINDS = ("person", "api_key", "platform_key", "operator", "system")


@dataclass(frozen=True)
class Actor:
    """`kind` is one of KINDS. `id` is the public id of a key, or `user:7`; the system has none."""

    kind: str
    id: str | None

    @classmethod
    def of_person(cls, user: int) -> Self:
        return cls("person", f"user:{user}")

    def as_json(self) -> dict[str, str | None]:
        return {"kind": self.kind, "id": self.id}


SYSTEM = Actor("system", None)


def actor_of(credential: Credential) -> Actor:
    """The actor of an API request."""
    kinds = {Kind.API_KEY: "api_key", Kind.PLATFORM_KEY: "platform_key"}
    return Actor(kinds.get(credential.kind, "person"), credential.id)


def platform_actor(id: str) -> Actor:
    """The actor of something that only the platform may do: one of its keys, an operator in the admin (`user:7`), or
    the system.
    """
    if not id:
        return SYSTEM
    return Actor("platform_key" if id.startswith("key_") else "operator", id)
