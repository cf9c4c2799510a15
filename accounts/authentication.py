"""Access tokens in `Authorization: Bearer`. Role, membership and suspension are read from the database each time."""

from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework_simplejwt.exceptions import TokenError

from accounts import access_tokens, scopes
from accounts.access_tokens import Claims
from accounts.credentials import Credential, Kind
from accounts.lib import instances, sql
from accounts.models import Organization, TokenFamily, User
from accounts.models.organizations import STANDING, Standing

REALM = 'Bearer realm="tollgate"'
SIGN_IN_MODELS = (TokenFamily, User, Organization)
# All that the credential of a token needs. Without a role in the organization, it has none.
SIGN_IN = sql.compose(
    """
SELECT {family}, {person}, {organization}, {standing}
  FROM accounts_tokenfamily AS family
  JOIN accounts_user AS person ON person.id = family.user_id
  LEFT JOIN accounts_organization AS organization ON organization.public_id = %(organization)s
 WHERE family.sid = %(sid)s AND family.revoked_at IS NULL
""",
    family=instances.columns(TokenFamily, "family"),
    person=instances.columns(User, "person"),
    organization=instances.columns(Organization, "organization"),
    standing=sql.compose(STANDING, user="person.id", path="organization.path"),
)


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
        credential = signed_in(claims)
        assert credential.user
        return credential.user, credential

    def authenticate_header(self, request: Request) -> str:
        return REALM


def signed_in(claims: Claims) -> Credential:
    """A token for an organization that its user has left opens only /v1/whoami and /v1/auth/switch."""
    family, organization, standing = _read(claims)
    user = family.user
    return Credential(
        kind=Kind.TOKEN,
        id=f"user:{user.pk}",
        user=user,
        organization=organization if standing.roles else None,
        timezone=claims.timezone,
        cap=claims.scopes,
        held=scopes.of_roles(standing.roles),
        is_operational=standing.is_operational or not standing.roles,
        sign_in=claims.sign_in,
        is_proved=user.has_proved_email,
        second_factor=family.second_factor_at is not None,
        signed_in_at=family.created_at,
        sign_in_method=family.sign_in_method,
    )


def _read(claims: Claims) -> tuple[TokenFamily, Organization | None, Standing]:
    parameters = {"sid": claims.sign_in, "organization": claims.organization or ""}
    for family, user, organization, roles, is_operational in instances.read(SIGN_IN, parameters, *SIGN_IN_MODELS):
        family.user = user
        if str(user.pk) == claims.user and user.is_active and family.has_todays_password:
            return family, organization, Standing(set(roles), is_operational)
    raise AuthenticationFailed("The sign-in has ended.")
