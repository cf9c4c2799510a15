"""Whether a credential has a scope now, and the refusals of those that don't."""

from accounts.credentials import Credential
from accounts.lib.problems import Conflict, Forbidden
from accounts.models import Organization
from accounts.scopes import OF_TEST_KEYS


class NotAllowed(Forbidden):
    """The credential lacks a scope."""

    code = "insufficient_scope"


class OrganizationSuspended(Forbidden):
    """The organization, or one above it, is suspended or closed."""

    code = "organization_suspended"
    detail = "The organization is suspended."


class OrganizationClosed(Conflict):
    """A closed organization stays closed."""

    code = "organization_closed"
    detail = "The organization is closed."


class PlatformOnly(Forbidden):
    """Only a platform key may do this."""

    code = "platform_key_required"
    detail = "This needs a platform key."


class LiveKeyRequired(Forbidden):
    """A test key moves no money, and changes nothing but test keys."""

    code = "live_key_required"
    detail = "A test key can't do that. Use a live key."


class EmailNotVerified(Forbidden):
    """The person has not verified their address. Until then, their account is read-only."""

    code = "email_not_verified"
    detail = "Your email address is not verified yet."


class OrganizationRequired(Forbidden):
    """The credential acts for no organization: a platform key, or a person who is in none."""

    code = "organization_required"
    detail = "This credential does not act for an organization."


def require(credential: Credential, scope: str | None) -> None:
    if scope is None:
        raise NotAllowed("This action is not open to any scope.")
    if scope in credential.scopes:
        return
    if scope in credential.granted and not credential.is_proved:
        raise EmailNotVerified
    if scope in credential.granted:
        raise LiveKeyRequired if credential.is_test and scope not in OF_TEST_KEYS else OrganizationSuspended
    raise NotAllowed(
        f"This needs the scope {scope}.", required_scopes=[scope], granted_scopes=sorted(credential.scopes)
    )


def check_unclosed(organization: Organization) -> None:
    """Nothing changes in a closed organization, or beneath one."""
    if not Organization.objects.unclosed().filter(pk=organization.pk).exists():
        raise OrganizationClosed
