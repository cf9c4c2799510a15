"""Making, finding, changing, rotating and revoking API keys."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import scopes, security
from accounts.exceptions import Conflict, InvalidField
from accounts.models import Organization, User
from accounts.permissions import NotAllowed
from apikeys import secrets
from apikeys.models import ApiKey, ApiKeySecret

PERMISSION = re.compile(r"[a-z][a-z0-9_-]*:[a-z0-9_*-]+")
LIVING_SECRETS = 2


class KeyNotUsable(Conflict):
    """The key is revoked or expired: it can't be changed back, or rotated, into a living one."""

    code = "key_not_usable"


class RotationInProgress(Conflict):
    """The secret before the last one still works, or another request rotated the key at the same moment."""

    code = "rotation_in_progress"
    detail = "The key is being rotated already: its previous secret still works."


@transaction.atomic
def create(
    organization: Organization | None,
    *,
    name: str,
    created_by: User | None = None,
    permissions: Iterable[str] = (),
    environment: str = ApiKey.Environment.LIVE,
    expires_at: datetime | None = None,
    **about: Any,
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not to be had again.

    `about`: `description`, `allowed_cidrs`, `rate_limit` and `rate_limit_window_seconds`.
    """
    now = timezone.now()
    key = ApiKey.objects.create(
        organization=organization,
        created_by=created_by,
        name=name,
        environment=environment,
        permissions=list(permissions),
        created_at=now,
        expires_at=within_longest_life(organization, expires_at, now),
        **about,
    )
    return key, _add_secret(key)


def _add_secret(key: ApiKey) -> str:
    secret = secrets.generate(key.environment)
    digest = secrets.digest(secret)
    ApiKeySecret.objects.create(key=key, digest=digest.value, pepper=digest.pepper, hint=secrets.hint(secret))
    return secret


def create_platform(name: str) -> tuple[ApiKey, str]:
    """A key for the company's own gateway."""
    return create(None, name=name, permissions=sorted(scopes.PLATFORM))


def find(secret: str, now: datetime) -> ApiKey | None:
    """The key of a presented secret, with its organization and creator: one indexed query, and no cache."""
    candidates = secrets.digests(secret)
    if not candidates:
        return None
    found = ApiKeySecret.objects.filter(_living(now), digest__in=candidates)
    presented = found.select_related("key__organization", "key__created_by").first()
    return presented.key if presented else None


def _living(now: datetime) -> Q:
    return Q(expires_at=None) | Q(expires_at__gt=now)


def within_longest_life(organization: Organization | None, wanted: datetime | None, start: datetime) -> datetime | None:
    """When a key that began at `start` expires: as wanted; by itself, as late as the organization's policy allows."""
    longest = security.longest_key_life(organization) if organization else None
    if longest is None:
        return wanted
    if wanted is not None and wanted > start + longest:
        raise InvalidField("expires_at", f"Keys of this organization live at most {longest.days} days.")
    return wanted or start + longest


def held_by_creator(key: ApiKey) -> frozenset[str]:
    """The scopes that the key's creator holds in its organization at this moment; a platform key has the platform's."""
    if key.organization is None:
        return scopes.PLATFORM
    if key.created_by is None or not key.created_by.is_active:
        return frozenset()
    return scopes.of_roles(key.organization.roles_of(key.created_by))


def update(key: ApiKey, changes: Mapping[str, Any]) -> ApiKey:
    """Write the named fields, and no other. `enabled` false refuses the key's next request; true allows it again."""
    changes = dict(changes)
    if "permissions" in changes:
        check_permissions(changes["permissions"], held_by_creator(key), beyond="The key's creator doesn't hold {}.")
    if "expires_at" in changes:
        changes["expires_at"] = within_longest_life(key.organization, changes["expires_at"], key.created_at)
    if (enabled := changes.pop("enabled", None)) is not None:
        changes["disabled_at"] = None if enabled else key.disabled_at or timezone.now()
    if changes and not ApiKey.objects.unrevoked().filter(pk=key.pk).update(**changes):
        raise KeyNotUsable("The key is revoked.")
    key.refresh_from_db(fields=list(changes))
    return key


@transaction.atomic
def rotate(key: ApiKey, overlap: timedelta) -> str:
    """A new secret for the same key. The one before works on for `overlap` at most; its expiry is never put off.

    Two rotations that meet: both read the same secrets before the lock, and the second finds them changed.
    """
    seen = {secret.pk for secret in key.secrets.all()}
    locked, now = _lock(key), timezone.now()
    if (status := locked.status(now)) in ("revoked", "expired"):
        raise KeyNotUsable(f"The key is {status}.")
    known = _secrets_of(key)
    living = [secret for secret in known if secret.expires_at is None or secret.expires_at > now]
    if {secret.pk for secret in known} != seen or len(living) >= LIVING_SECRETS:
        raise RotationInProgress
    for secret in living:
        secret.expires_at = min(secret.expires_at or now + overlap, now + overlap)
        secret.save(update_fields=["expires_at"])
    return _add_secret(key)


def _lock(key: ApiKey) -> ApiKey:
    return ApiKey.objects.select_for_update(no_key=True).get(pk=key.pk)


def _secrets_of(key: ApiKey) -> list[ApiKeySecret]:
    return list(ApiKeySecret.objects.filter(key=key))


def check_not_beyond(key: ApiKey, holder: frozenset[str]) -> None:
    """Refuse to hand the secret of a key to someone who may do less than it."""
    if excess := sorted((scopes.ALL & set(key.permissions)) - holder):
        raise NotAllowed(
            f"The key may do more than you: {', '.join(excess)}.",
            required_scopes=excess,
            granted_scopes=sorted(holder),
        )


def revoke(key: ApiKey) -> ApiKey:
    """Revoke a key for good. It works on the next request; a second revocation keeps the time of the first."""
    ApiKey.objects.unrevoked().filter(pk=key.pk).update(revoked_at=timezone.now())
    key.refresh_from_db(fields=["revoked_at"])
    return key


def check_permissions(
    permissions: Iterable[str], holder: frozenset[str], *, beyond: str = "You don't hold {} yourself."
) -> None:
    """Refuse what is not of the form `resource:action`, twice the same, or a scope beyond the holder's own."""
    permissions = list(permissions)
    if len(set(permissions)) != len(permissions):
        raise InvalidField("permissions", "A permission is named twice.")
    for permission in permissions:
        if len(permission) > 100 or not PERMISSION.fullmatch(permission):
            raise InvalidField("permissions", f"{permission[:100]!r} is not of the form resource:action.")
    if excess := sorted((scopes.ALL & set(permissions)) - holder):
        raise InvalidField("permissions", beyond.format(", ".join(excess)))
