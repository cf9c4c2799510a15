"""Making, finding and revoking API keys."""

import re
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import scopes
from accounts.exceptions import InvalidField
from accounts.models import Organization, User
from apikeys import secrets
from apikeys.models import ApiKey, ApiKeySecret

PERMISSION = re.compile(r"[a-z][a-z0-9_-]*:[a-z0-9_*-]+")


@transaction.atomic
def create(
    organization: Organization | None,
    *,
    name: str,
    created_by: User | None = None,
    permissions: Iterable[str] = (),
    environment: str = ApiKey.Environment.LIVE,
    expires_at: datetime | None = None,
    description: str = "",
) -> tuple[ApiKey, str]:
    """A new key and its secret, which is not to be had again."""
    key = ApiKey.objects.create(
        organization=organization,
        created_by=created_by,
        name=name,
        description=description,
        environment=environment,
        permissions=list(permissions),
        expires_at=expires_at,
    )
    secret = secrets.generate(environment)
    digest = secrets.digest(secret)
    ApiKeySecret.objects.create(key=key, digest=digest.value, pepper=digest.pepper, hint=secrets.hint(secret))
    return key, secret


def create_platform(name: str) -> tuple[ApiKey, str]:
    """A key for the company's own gateway."""
    return create(None, name=name, permissions=sorted(scopes.PLATFORM))


def find(secret: str, now: datetime) -> ApiKey | None:
    """The key of a presented secret, with its organization and creator: one indexed query, and no cache."""
    candidates = secrets.digests(secret)
    if not candidates:
        return None
    living = Q(expires_at=None) | Q(expires_at__gt=now)
    found = ApiKeySecret.objects.filter(living, digest__in=candidates)
    presented = found.select_related("key__organization", "key__created_by").first()
    return presented.key if presented else None


def revoke(key: ApiKey) -> ApiKey:
    """Revoke a key for good. It works on the next request; a second revocation keeps the time of the first."""
    ApiKey.objects.unrevoked().filter(pk=key.pk).update(revoked_at=timezone.now())
    key.refresh_from_db(fields=["revoked_at"])
    return key


def check_permissions(permissions: Iterable[str], holder: frozenset[str]) -> None:
    """Refuse what is not of the form `resource:action`, twice the same, or a scope beyond the creator's own."""
    permissions = list(permissions)
    if len(set(permissions)) != len(permissions):
        raise InvalidField("permissions", "A permission is named twice.")
    for permission in permissions:
        if len(permission) > 100 or not PERMISSION.fullmatch(permission):
            raise InvalidField("permissions", f"{permission[:100]!r} is not of the form resource:action.")
    if excess := sorted((scopes.ALL & set(permissions)) - holder):
        raise InvalidField("permissions", f"You don't hold {', '.join(excess)} yourself.")
