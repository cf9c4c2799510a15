"""Sign-ins of programs that act for people. Each is a family of refresh tokens that replace one another.

A refresh token is opaque: the id of its family and a secret. The database keeps only a digest of the secret.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone

from accounts import access_tokens, people
from accounts.credentials import Credential, Kind
from accounts.exceptions import InvalidRefreshToken, InvalidSignIn, RefreshRace
from accounts.lib import identifiers
from accounts.lib.problems import Forbidden, TooManyRequests
from accounts.models import Organization, ReplacedToken, TokenFamily, User
from accounts.sign_in_limits import TooManyFailures

PREFIX = "rt_"
SECRET_LENGTH = 43
_FORM = re.compile(f"{PREFIX}([0-9a-f]{{32}})([0-9A-Za-z]{{{SECRET_LENGTH}}})")


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


def sign_in(request: HttpRequest, *, email: str, password: str) -> Pair:
    """Start a sign-in for the person with this email and password."""
    try:
        user = get_adapter().authenticate(request, email=email, password=password)
    except TooManyFailures as error:
        raise TooManyRequests(str(error.message), headers={"Retry-After": str(error.wait_seconds)}) from error
    if not isinstance(user, User) or not user.is_active:
        raise InvalidSignIn
    organization = people.current_organization(user)
    with transaction.atomic():
        people.tell_sign_in(user, organization, "started", Kind.TOKEN)
        return issue(user, organization)


def issue(user: User, organization: Organization | None) -> Pair:
    """Start a sign-in: the first pair of a new family."""
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


def refresh(token: str) -> Pair:
    """Exchange a refresh token for a new pair, once.

    If several requests present it, one wins. The others get 409 within `REFRESH_GRACE_SECONDS` of the exchange: a
    busy machine may get to them late. Whoever presents it after that uses a stolen or lost token, so the family ends.
    """
    family_id, presented = _parse(token)
    pair = _exchange(_living(family_id), presented)
    return pair or _refuse(_living(family_id), presented)


@transaction.atomic
def _exchange(family: TokenFamily, presented: bytes) -> Pair | None:
    """None if the token is not the current one. If the new pair can't be made, the old token stays good."""
    secret = _secret()
    if not _rotate(family, presented, _digest(secret)):
        return None
    _remember(family, presented)
    return _pair(family, secret)


def _rotate(family: TokenFamily, presented: bytes, replacement: bytes) -> bool:
    """One statement, so that of concurrent ones with the same digest exactly one changes the row."""
    current = TokenFamily.objects.filter(pk=family.pk, digest=presented, revoked_at=None)
    return current.update(digest=replacement) == 1


def _remember(family: TokenFamily, replaced: bytes) -> None:
    """Keeps the replaced digest for the grace, and drops those whose grace is over."""
    now = timezone.now()
    family.replaced_tokens.filter(replaced_at__lte=now - _grace()).delete()
    ReplacedToken.objects.create(digest=replaced, family=family, replaced_at=now)


def _grace() -> timedelta:
    return timedelta(seconds=settings.REFRESH_GRACE_SECONDS)


def _refuse(family: TokenFamily, presented: bytes) -> NoReturn:
    if family.replaced_tokens.filter(digest=presented, replaced_at__gt=timezone.now() - _grace()).exists():
        raise RefreshRace
    _revoke(family.pk)
    raise InvalidRefreshToken


def _living(family_id: UUID) -> TokenFamily:
    family = TokenFamily.objects.select_related("user", "organization").filter(pk=family_id).first()
    if family is None or family.revoked_at or family.expires_at <= timezone.now():
        raise InvalidRefreshToken
    if not family.user.is_active or not family.has_todays_password:
        raise InvalidRefreshToken
    return family


def revoke(token: str) -> None:
    """End the sign-in that the token belongs to. An unknown token is ignored, as RFC 7009 says."""
    try:
        family_id, _ = _parse(token)
    except InvalidRefreshToken:
        return
    with transaction.atomic():
        if _revoke(family_id):
            family = TokenFamily.objects.select_related("user", "organization").get(pk=family_id)
            people.tell_sign_in(family.user, family.organization, "ended", Kind.TOKEN)


def _revoke(family_id: UUID) -> bool:
    return TokenFamily.objects.filter(pk=family_id, revoked_at=None).update(revoked_at=timezone.now()) == 1


def person(credential: Credential) -> User:
    """The person who signed in. A program's key does not speak for one."""
    if credential.kind is not Kind.TOKEN or credential.user is None:
        raise Forbidden("Only a person's access token can do this.")
    return credential.user


@transaction.atomic
def switch(credential: Credential, organization: Organization) -> Pair:
    """A pair for another organization of the person's, which becomes the current one.

    The sign-in stays the same, with its age and its expiry. Its former refresh token is replaced, as by a refresh.
    """
    people.switch(person(credential), organization)
    assert credential.sign_in is not None
    family = _living(TokenFamily.objects.select_for_update(no_key=True).get(sid=credential.sign_in).pk)
    _remember(family, bytes(family.digest))
    secret = _secret()
    family.organization, family.digest = organization, _digest(secret)
    family.save(update_fields=["organization", "digest"])
    people.tell_sign_in(family.user, organization, "switched", Kind.TOKEN)
    return _pair(family, secret)


def _pair(family: TokenFamily, secret: str) -> Pair:
    return Pair(access=access_tokens.make(family), refresh=f"{PREFIX}{family.pk.hex}{secret}")


def _secret() -> str:
    return identifiers.random_text(identifiers.BASE62, SECRET_LENGTH)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _parse(token: str) -> tuple[UUID, bytes]:
    """The id of the family and the digest of the secret."""
    match = _FORM.fullmatch(token)
    if match is None:
        raise InvalidRefreshToken
    return UUID(hex=match[1]), _digest(match[2])
