"""The organization whose money a request is about. A platform key names it; others mean themselves or one beneath."""

from rest_framework.request import Request

from accounts import security
from accounts.credentials import credential_of, organization_of
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField, NotFound
from accounts.models import Organization
from accounts.permissions import OrganizationSuspended
from billing import accounts
from billing.exceptions import BilledByParent


def subject(request: Request, public_id: str | None) -> Organization:
    """The named organization, or the caller's own. `NotFound` if the caller may not see it."""
    credential = credential_of(request)
    if public_id is None:
        if credential.is_platform:
            raise InvalidField("organization", "Required with a platform key.")
        return organization_of(request)
    organizations = Organization.objects.all()
    visible = organizations if credential.is_platform else organizations.within(organization_of(request))
    organization = visible.filter(public_id=public_id).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    check_address(request, organization)
    return organization


def payer(request: Request, public_id: str | None) -> Organization:
    """Like `subject`, but it must pay for itself."""
    organization = subject(request, public_id)
    if not organization.is_root:
        raise BilledByParent
    return organization


def own_payer(request: Request) -> Organization:
    """The current organization, which must pay for itself."""
    organization = organization_of(request)
    accounts.find(organization)
    return organization


def admitted(request: Request, public_id: str | None) -> Organization:
    """Like `subject`, but it must not be suspended."""
    organization = subject(request, public_id)
    check_operational(organization)
    return organization


def check_operational(organization: Organization) -> None:
    if not organization.is_operational:
        raise OrganizationSuspended


def check_address(request: Request, organization: Organization) -> None:
    """An organization beneath the caller's may have a stricter list of networks: check that one too."""
    credential = credential_of(request)
    if not credential.is_platform and organization != credential.organization:
        security.check_address(organization, client_address(request))
