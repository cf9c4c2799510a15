"""Access tokens in `Authorization: Bearer`. Role, membership and suspension are read from the database each time."""

from dataclasses import replace

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import access_tokens, scopes
from accounts.access_tokens import Claims
from accounts.credentials import Credential, Kind
from accounts.models import Organization, TokenFamily, User

REALM = 'Bearer realm="tollgate"'


def bearer(request: Request) -> str | None:
    """The text after `Bearer`; None if the header is missing or names another scheme."""
    words = get_authorization_header(request).split()
    if not words or words[0].lower() != b"bearer":
        return None
    if len(words) != 2:
        raise AuthenticationFailed("The Authorization header must be `Bearer` and one credential.")
    return words[1].decode("latin-1")


class TokenAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, Credential] | None:
        presented = bearer(request)
        if presented is None:
            return None
        try:
            claims = access_tokens.read(presented)
        except TokenError as error:
            raise AuthenticationFailed(f"{error}.") from error
        family = _living_family(claims)
        return family.user, replace(
            credential(family.user, claims),
            second_factor=family.second_factor_at is not None,
            signed_in_at=family.created_at,
            sign_in_method=family.sign_in_method,
        )

    def authenticate_header(self, request: Request) -> str:
        return REALM


def _living_family(claims: Claims) -> TokenFamily:
    family = TokenFamily.objects.select_related("user").filter(sid=claims.sign_in, revoked_at=None).first()
    if family is None or str(family.user_id) != claims.user:
        raise AuthenticationFailed("The sign-in has ended.")
    if not family.user.is_active or not family.has_todays_password:
        raise AuthenticationFailed("The sign-in has ended.")
    return family


def credential(user: User, claims: Claims) -> Credential:
    """If the user has left the token's organization, the token only works for /v1/whoami and /v1/auth/switch."""
    organization = Organization.objects.visible_to(user).filter(public_id=claims.organization or "").first()
    held = scopes.of_roles(organization.roles_of(user)) if organization else frozenset()
    return Credential(
        kind=Kind.TOKEN,
        id=f"user:{user.pk}",
        user=user,
        organization=organization,
        timezone=claims.timezone,
        cap=claims.scopes,
        held=held,
        is_operational=organization is None or organization.is_operational,
        sign_in=claims.sign_in,
        is_proved=user.has_proved_email,
    )
