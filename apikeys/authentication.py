"""API keys in `Authorization: Bearer sk_…`: looked up on every request, so that a revocation works on the next one."""

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import scopes
from accounts.authentication import REALM, bearer
from accounts.credentials import Credential, Kind
from accounts.models import User
from apikeys import keys
from apikeys.models import ApiKey


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User | None, Credential] | None:
        secret = bearer(request)
        if secret is None or not secret.startswith("sk_"):
            return None
        now = timezone.now()
        key = keys.find(secret, now)
        status = key.status(now) if key else "unknown"
        if key is None or status != "active":
            raise AuthenticationFailed(f"The API key is {status}.", code=f"key_{status}")
        ApiKey.objects.touch(key, now)
        return key.created_by, credential(key)

    def authenticate_header(self, request: Request) -> str:
        return REALM


def credential(key: ApiKey) -> Credential:
    """What the key may do now: its own permissions, within what its creator holds at this moment."""
    return Credential(
        kind=Kind.PLATFORM_KEY if key.is_platform else Kind.API_KEY,
        id=key.public_id,
        user=key.created_by,
        organization=key.organization,
        timezone=key.organization.timezone if key.organization else "UTC",
        cap=scopes.ALL & set(key.permissions),
        held=_held(key),
        is_operational=key.organization is None or key.organization.is_operational,
        permissions=tuple(key.permissions),
    )


def _held(key: ApiKey) -> frozenset[str]:
    if key.organization is None:
        return scopes.PLATFORM
    if key.created_by is None or not key.created_by.is_active:
        return frozenset()
    return scopes.of_roles(key.organization.roles_of(key.created_by))
