"""Access tokens (JWT): their claims, and reading one that a request presents.

An access token says `sub` (the user), `id` (the organization), `timezone` and `scope`. It caps what its bearer may do;
the database decides on each request.
"""

import re
from dataclasses import dataclass
from uuid import UUID

from django.conf import settings
from jwt.utils import base64url_decode, base64url_encode
from rest_framework_simplejwt import tokens as simplejwt
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.utils import datetime_from_epoch

from accounts import people, scopes, signing
from accounts.lib import timezones
from accounts.models import Organization, TokenFamily

_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
_ORGANIZATION_ID = re.compile(r"acct_[0-9a-z]{16}")
MOMENTS = {"exp", "iat", "nbf"}
_MAL_FORMED = (KeyError, ValueError, TypeError, AttributeError, ArithmeticError, OSError)


class AccessToken(simplejwt.AccessToken):
    """A short-lived JWT, signed with RS256 by the current signing key."""

    _token_backend = signing.KeyRing(signing.ALGORITHM, issuer=settings.BASE_URL)


@dataclass(frozen=True)
class Claims:
    """`sign_in` is the family's `sid`; `organization` is a public id, None if the person has no organization."""

    user: str
    sign_in: UUID
    organization: str | None
    timezone: str
    scopes: frozenset[str]


def make(family: TokenFamily) -> str:
    """A new access token. Its claims come from the database, never from an earlier token."""
    user, organization = family.user, family.organization
    if organization is None or not Organization.objects.visible_to(user).filter(pk=organization.pk).exists():
        organization = people.current_organization(user)
    token = AccessToken()
    token["sub"] = str(user.pk)
    token["sid"] = family.sid.hex
    token["id"] = organization.public_id if organization else None
    token["timezone"] = user.timezone
    roles = organization.roles_of(user) if organization else set()
    token["scope"] = " ".join(sorted(scopes.of_roles(roles)))
    return str(token)


def has_form(text: str) -> bool:
    """Whether it looks like a JWT: its header is JSON in base64, which begins with the bytes of `{"`."""
    return text.startswith("eyJ") and bool(_FORM.fullmatch(text))


def read(text: str) -> Claims:
    """The claims of a token of ours. `TokenError` for anything else, however well it is signed."""
    if not _is_canonical(text):
        raise TokenError("Token is invalid")
    try:
        return _claims(AccessToken(text))  # type: ignore[arg-type]
    except _MAL_FORMED as error:  # a claim that is missing, of another type, or out of a date's range
        raise TokenError("Token is invalid") from error


def _is_canonical(text: str) -> bool:
    """Base64 has several spellings of the same bytes; only the shortest one is a token."""
    try:
        return bool(_FORM.fullmatch(text)) and all(
            base64url_encode(base64url_decode(part)) == part.encode() for part in text.split(".")
        )
    except ValueError:
        return False


def _claims(token: AccessToken) -> Claims:
    user, sid, organization, timezone, scope = (token[name] for name in ("sub", "sid", "id", "timezone", "scope"))
    for name in MOMENTS & token.payload.keys():
        datetime_from_epoch(token[name])
    if organization is not None and not _ORGANIZATION_ID.fullmatch(organization):
        raise ValueError("no organization's id")
    if not isinstance(user, str) or timezone not in timezones.names():
        raise ValueError("no user's id, or no time zone")
    return Claims(user, UUID(hex=sid), organization, timezone, scopes.parse(scope))
