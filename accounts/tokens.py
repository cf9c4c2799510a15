"""Sign-ins of programs that act for people: access tokens (JWT) and rotating refresh tokens.

An access token says `sub` (the user), `id` (the organization), `timezone` and `scope`. It caps what its bearer may
do; the database decides on each request. Claims are made from the database at every refresh, never copied.

A refresh token is opaque: the id of its family and a secret, of which only a digest is kept.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import F
from django.http import HttpRequest
from django.utils import timezone
from rest_framework_simplejwt import tokens as simplejwt

from accounts import people, scopes, signing
from accounts.credentials import Credential, Kind
from accounts.exceptions import InvalidRefreshToken, InvalidSignIn, RefreshRace
from accounts.lib import identifiers
from accounts.lib.problems import Forbidden, TooManyRequests
from accounts.models import Organization, TokenFamily, User

PREFIX = "rt_"
SECRET_LENGTH = 43
FAILURES_WINDOW_SECONDS = 300  # allauth's, for the failed sign-ins of one email


class AccessToken(simplejwt.AccessToken):
    """A short-lived JWT, signed with RS256 by the current signing key."""

    _token_backend = signing.KeyRing(signing.ALGORITHM, issuer=settings.BASE_URL)


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


def sign_in(request: HttpRequest, *, email: str, password: str) -> Pair:
    """A new family of tokens for the person with this email and password."""
    try:
        user = get_adapter().authenticate(request, email=email, password=password)
    except ValidationError as error:  # too many failures for this address or email
        wait = {"Retry-After": str(FAILURES_WINDOW_SECONDS)}
        raise TooManyRequests("Too many failed sign-ins. Try again in some minutes.", headers=wait) from error
    if not isinstance(user, User) or not user.is_active:
        raise InvalidSignIn
    return issue(user, people.current_organization(user))


def issue(user: User, organization: Organization | None) -> Pair:
    """A new family of tokens, for one sign-in."""
    update_last_login(User, user)
    secret = _secret()
    family = TokenFamily.objects.create(
        user=user,
        organization=organization,
        session_auth_hash=user.get_session_auth_hash(),
        digest=_digest(secret),
        expires_at=timezone.now() + settings.REFRESH_TOKEN_LIFETIME,
    )
    return _pair(family, secret)


def refresh(token: str, *, received_at: datetime | None = None) -> Pair:
    """Exchange a refresh token, once.

    Of requests that meet, one wins. A loser that was received before the winner had its answer lost a race, and gets
    a 409. A token that had been replaced by then is being used twice, so its whole family is revoked.
    """
    received_at = received_at or timezone.now()
    family_id, presented = _parse(token)
    seen = _living(family_id)
    secret = _secret()
    if not _rotate(family_id, presented, _digest(secret)):
        _refuse(_living(family_id), presented, received_at)
    pair = _pair(seen, secret)
    TokenFamily.objects.filter(pk=family_id).update(rotated_at=timezone.now())
    return pair


def _living(family_id: UUID) -> TokenFamily:
    family = TokenFamily.objects.select_related("user", "organization").filter(pk=family_id).first()
    if family is None or family.revoked_at or family.expires_at <= timezone.now():
        raise InvalidRefreshToken
    if not family.user.is_active or not family.has_todays_password:
        raise InvalidRefreshToken
    return family


def _rotate(family_id: UUID, presented: bytes, replacement: bytes) -> bool:
    """One statement: of concurrent ones with the same digest, exactly one changes the row."""
    living = TokenFamily.objects.filter(pk=family_id, digest=presented, revoked_at=None)
    changes = {"previous_digest": F("digest"), "digest": replacement, "rotated_at": None}
    return living.update(**changes) == 1


def _refuse(family: TokenFamily, presented: bytes, received_at: datetime) -> NoReturn:
    was_current = family.previous_digest is not None and bytes(family.previous_digest) == presented
    if was_current and (family.rotated_at is None or received_at < family.rotated_at):
        raise RefreshRace
    _revoke(family.pk)
    raise InvalidRefreshToken


def revoke(token: str) -> None:
    """End the sign-in that the token belongs to. Unknown tokens are let be, as RFC 7009 has it."""
    try:
        family_id, _ = _parse(token)
    except InvalidRefreshToken:
        return
    _revoke(family_id)


def _revoke(family_id: UUID) -> None:
    TokenFamily.objects.filter(pk=family_id, revoked_at=None).update(revoked_at=timezone.now())


def person(credential: Credential) -> User:
    """The person who signed in; a program's key does not speak for one."""
    if credential.kind is not Kind.TOKEN or credential.user is None:
        raise Forbidden("Only a person's access token can do this.")
    return credential.user


@transaction.atomic
def switch(user: User, organization: Organization) -> Pair:
    """Tokens for another organization of the user's, which becomes the current one."""
    people.switch(user, organization)
    return issue(user, organization)


def _pair(family: TokenFamily, secret: str) -> Pair:
    return Pair(access=str(_access_token(family)), refresh=f"{PREFIX}{family.pk.hex}{secret}")


def _access_token(family: TokenFamily) -> AccessToken:
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
    return token


def _secret() -> str:
    return identifiers.random_text(identifiers.BASE62, SECRET_LENGTH)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _parse(token: str) -> tuple[UUID, bytes]:
    family, secret = token[len(PREFIX) : len(PREFIX) + 32], token[len(PREFIX) + 32 :]
    try:
        if not token.startswith(PREFIX) or len(secret) != SECRET_LENGTH:
            raise ValueError
        return UUID(hex=family), _digest(secret)
    except ValueError as error:
        raise InvalidRefreshToken from error
