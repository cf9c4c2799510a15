"""API keys, as `Bearer sk_…` or as Basic. We look them up on each request, so a revocation works on the next one."""

import base64
import binascii
from dataclasses import dataclass

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from accounts import access_tokens, scopes
from accounts.authentication import REALM, bearer
from accounts.credentials import Credential, Kind
from accounts.lib import addresses
from accounts.lib.problems import Forbidden
from accounts.models import User
from apikeys import key_permissions, keys, peppers
from apikeys.models import ApiKey


class IpNotAllowed(Forbidden):
    """The key is valid, but not from this address."""

    code = "ip_not_allowed"
    detail = "This API key may not be used from this address."


@dataclass(frozen=True, kw_only=True)
class KeyCredential(Credential):
    key: ApiKey


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User | None, KeyCredential] | None:
        """A secret in another format may belong to a key that was imported from another system."""
        secret = bearer(request)
        if secret is None or access_tokens.has_form(secret):
            return None
        key = keys.find(secret, timezone.now())
        if key is None and not secret.startswith("sk_"):
            return None
        return _admitted(_active(secret, key), request)

    def authenticate_header(self, request: Request) -> str:
        return REALM


class BasicAuthentication(BaseAuthentication):
    """`auth_id` and an API key of that organization, as Plivo documents it. Refused while it is suspended."""

    def authenticate(self, request: Request) -> tuple[User | None, KeyCredential] | None:
        scheme, _, encoded = get_authorization_header(request).partition(b" ")
        if scheme.lower() != b"basic":
            return None
        auth_id, secret = _decoded(encoded)
        key = _active(secret, keys.find(secret, timezone.now()))
        if key.organization is None or key.organization.auth_id != auth_id or not key.organization.is_operational:
            raise AuthenticationFailed("The auth_id and the auth_token don't belong together.")
        return _admitted(key, request)

    def authenticate_header(self, request: Request) -> str:
        return 'Basic realm="tollgate"'


def _decoded(encoded: bytes) -> tuple[str, str]:
    try:
        auth_id, _, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise AuthenticationFailed("The Authorization header must be `Basic` and auth_id:auth_token.") from error
    return auth_id, secret


def _active(secret: str, key: ApiKey | None) -> ApiKey:
    status = key.status(timezone.now()) if key else "unknown"
    if key is None or status != "active":
        raise AuthenticationFailed(f"The API key is {status}.", code=f"key_{status}")
    peppers.redigest([secret])
    return key


def _admitted(key: ApiKey, request: Request) -> tuple[User | None, KeyCredential]:
    if not key.admits_address(addresses.client_address(request)):
        raise IpNotAllowed
    ApiKey.objects.touch(key, timezone.now())
    return key.created_by, credential(key)


def credential(key: ApiKey) -> KeyCredential:
    """The key's current permissions: its own, limited to those that its creator has now."""
    held = key_permissions.held_by_creator(key)
    return KeyCredential(
        kind=Kind.PLATFORM_KEY if key.is_platform else Kind.API_KEY,
        id=key.public_id,
        user=key.created_by,
        organization=key.organization,
        timezone=key.organization.timezone if key.organization else "UTC",
        cap=scopes.ALL & set(key.permissions),
        held=held,
        is_operational=key.organization is None or key.organization.is_operational,
        permissions=key_permissions.usable(key.permissions, held),
        is_test=key.is_test,
        is_proved=key.created_by is None or key.created_by.has_proved_email,
        key=key,
    )


def key_of(credential: Credential) -> ApiKey | None:
    """The API key behind the credential; None for a person's token."""
    return credential.key if isinstance(credential, KeyCredential) else None
