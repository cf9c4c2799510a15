"""Sign-ins of programs that act for people. Each is a family of refresh tokens that replace one another.

A refresh token is opaque: the id of its family and a secret. The database keeps only a digest of the secret.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn
from uuid import UUID

from allauth.account.adapter import get_adapter
from django.conf import settings
from django.contrib.auth.models import update_last_login
from django.db import transaction
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts import access_tokens, people, second_factors, sign_in_limits
from accounts.credentials import Credential, Kind
from accounts.exceptions import (
    InvalidChallenge,
    InvalidRefreshToken,
    InvalidSecondFactor,
    InvalidSignIn,
    RefreshRace,
    TwoFactorRequired,
)
from accounts.lib import identifiers
from accounts.lib.problems import Forbidden
from accounts.models import Organization, ReplacedToken, SignInChallenge, TokenFamily, User
from accounts.origins import Origin, origin_of
from accounts.sign_in_limits import TooManyFailures

PREFIX = "rt_"
SECRET_LENGTH = 43
CHALLENGE_PREFIX = "ch_"
CHALLENGE_LIFETIME = timedelta(minutes=5)
UNKNOWN = Origin()
_FORM = re.compile(f"{PREFIX}([0-9a-f]{{32}})([0-9A-Za-z]{{{SECRET_LENGTH}}})")


@dataclass(frozen=True)
class Pair:
    access: str
    refresh: str


def sign_in(request: HttpRequest, *, email: str, password: str) -> Pair:
    """Start a sign-in for the person with this email and password. `TwoFactorRequired` if they have a second factor."""
    try:
        user = get_adapter().authenticate(request, email=email, password=password)
    except TooManyFailures as error:
        raise error.problem from error
    if not isinstance(user, User) or not user.is_active:
        raise InvalidSignIn
    if second_factors.is_enrolled(user):
        raise _challenge(user)
    return start(user, origin_of(request))


@transaction.atomic
def start(user: User, origin: Origin, *, second_factor: bool = False, method: str = "password") -> Pair:
    """A sign-in for the person's current organization, as an event."""
    organization = people.current_organization(user)
    people.tell_sign_in(user, organization, "started", Kind.TOKEN)
    return issue(user, organization, origin=origin, second_factor=second_factor, method=method)


def _challenge(user: User) -> TwoFactorRequired:
    secret, expires_at = _secret(), timezone.now() + CHALLENGE_LIFETIME
    SignInChallenge.objects.create(
        digest=_digest(secret), user=user, session_auth_hash=user.get_session_auth_hash(), expires_at=expires_at
    )
    browser_url = settings.BASE_URL + reverse("tokens")
    return TwoFactorRequired(CHALLENGE_PREFIX + secret, second_factors.names(user), expires_at, browser_url)


def answer(request: HttpRequest, *, challenge: str, code: str) -> Pair:
    """Start the sign-in that `sign_in` refused with this challenge, by a code of the second factor."""
    opened = _open_challenge(challenge)
    user = opened.user
    origin = origin_of(request)
    try:
        authenticator = second_factors.check_code(user, code, origin.network)
    except TooManyFailures as error:
        raise error.problem from error
    if authenticator is None:
        raise InvalidSecondFactor
    authenticator.record_usage()
    if not SignInChallenge.objects.filter(pk=opened.pk).delete()[0]:  # another request used it meanwhile
        raise InvalidChallenge
    sign_in_limits.remember(user, origin.network)
    return start(user, origin, second_factor=True)


def _open_challenge(challenge: str) -> SignInChallenge:
    digest = _digest(challenge.removeprefix(CHALLENGE_PREFIX))
    rows = SignInChallenge.objects.filter(digest=digest, expires_at__gt=timezone.now(), user__is_active=True)
    row = rows.select_related("user").first()
    if row is None or not constant_time_compare(row.session_auth_hash, row.user.get_session_auth_hash()):
        raise InvalidChallenge
    return row


def issue(
    user: User,
    organization: Organization | None,
    *,
    origin: Origin = UNKNOWN,
    second_factor: bool = False,
    method: str = "password",
) -> Pair:
    """Start a sign-in: the first pair of a new family. `method` is how the person signed in."""
    update_last_login(User, user)
    secret, now = _secret(), timezone.now()
    family = TokenFamily.objects.create(
        user=user,
        organization=organization,
        session_auth_hash=user.get_session_auth_hash(),
        digest=_digest(secret),
        created_at=now,
        last_used_at=now,
        expires_at=now + settings.REFRESH_TOKEN_LIFETIME,
        second_factor_at=now if second_factor else None,
        sign_in_method=method,
        network=origin.network,
        user_agent=origin.user_agent,
    )
    return _pair(family, secret)


def refresh(token: str) -> Pair:
    """Exchange a refresh token for a new pair, once.

    If several requests present it, one wins. The others get 409 within `REFRESH_GRACE_SECONDS` of the exchange, because
    a busy machine may handle them late. After that it counts as a stolen token, and the family ends.
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
    """One statement, so that exactly one of several concurrent calls with the same digest changes the row."""
    current = TokenFamily.objects.filter(pk=family.pk, digest=presented, revoked_at=None)
    return current.update(digest=replacement, last_used_at=timezone.now()) == 1


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
    """The person who signed in. An API key doesn't act for a person."""
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


def purge(now: datetime) -> int:
    """Forget the sign-ins that have run out, and the challenges that nobody answered."""
    challenges = SignInChallenge.objects.filter(expires_at__lte=now).delete()[0]
    return challenges + TokenFamily.objects.filter(expires_at__lte=now).delete()[0]


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
