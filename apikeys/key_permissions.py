"""The permissions of a key: their format, and which of them remain if its creator has lost scopes."""

import re
from collections.abc import Iterable

from accounts import scopes
from accounts.lib.problems import InvalidField, InvalidFields
from accounts.models import Organization, User
from apikeys.models import ApiKey

PERMISSION = re.compile(r"[a-z][a-z0-9_-]*:[a-z0-9_*-]+")
LONGEST = 100  # characters


def check(permissions: Iterable[str], holder: frozenset[str], *, beyond: str = "You don't hold {} yourself.") -> None:
    """Refuse another form than `resource:action`, a permission named twice, and a scope that the holder lacks."""
    permissions = list(permissions)
    if len(set(permissions)) != len(permissions):
        raise InvalidField("permissions", "A permission is named twice.")
    if wrong := [name for name in permissions if len(name) > LONGEST or not PERMISSION.fullmatch(name)]:
        raise InvalidFields(
            [("permissions", f"{name[:LONGEST]!r} is not of the form resource:action.") for name in wrong]
        )
    if excess := sorted((scopes.ALL & set(permissions)) - holder):
        raise InvalidField("permissions", beyond.format(", ".join(excess)))


def held_by_creator(key: ApiKey) -> frozenset[str]:
    """The scopes that the key's creator holds in its organization now. A platform key has the platform's scopes."""
    return scopes.PLATFORM if key.organization is None else held_by(key.created_by, key.organization)


def held_by(creator: User | None, organization: Organization) -> frozenset[str]:
    """The scopes that keys of this creator may have there. A key without a creator only has the company's own
    permissions.
    """
    if creator is None or not creator.is_active:
        return frozenset()
    return scopes.of_roles(organization.roles_of(creator))


def usable(permissions: Iterable[str], held: frozenset[str]) -> tuple[str, ...]:
    """The key's permissions, in their order, without the scopes that its creator has lost. `held` is what is left."""
    return tuple(permission for permission in permissions if permission in held or permission not in scopes.ALL)
