"""Access tokens in `Authorization: Bearer`. Role, membership and suspension are read from the database each time."""

from uuid import UUID

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import scopes
from accounts.credentials import Credential, Kind
from accounts.models import Organization, TokenFamily, User
from accounts.tokens import AccessToken

REALM = 'Bearer realm="tollgate"'


def bearer(request: Request) -> str | None:
    """What follows `Bearer`; None where the header is missing or speaks of another scheme."""
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
            token = AccessToken(presented.encode())  # type: ignore[arg-type]
        except TokenError as error:
            raise AuthenticationFailed(f"{error}.") from error
        family = _living_family(token)
        return family.user, credential(family.user, token)

    def authenticate_header(self, request: Request) -> str:
        return REALM


def _living_family(token: AccessToken) -> TokenFamily:
    try:
        sid = UUID(hex=token["sid"])
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise AuthenticationFailed("Token is invalid.") from error
    family = TokenFamily.objects.select_related("user").filter(sid=sid, revoked_at=None).first()
    if family is None or str(family.user_id) != token.get("sub"):
        raise AuthenticationFailed("The sign-in has ended.")
    if not family.user.is_active or not family.has_todays_password:
        raise AuthenticationFailed("The sign-in has ended.")
    return family


def credential(user: User, token: AccessToken) -> Credential:
    """A token for an organization that its user has left is good for nothing but /v1/whoami and /v1/auth/switch."""
    organization = Organization.objects.visible_to(user).filter(public_id=token["id"] or "").first()
    held = scopes.of_roles(organization.roles_of(user)) if organization else frozenset()
    return Credential(
        kind=Kind.TOKEN,
        id=f"user:{user.pk}",
        user=user,
        organization=organization,
        timezone=token["timezone"],
        cap=scopes.parse(token["scope"]),
        held=held,
        is_operational=organization is None or organization.is_operational,
    )
