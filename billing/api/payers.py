"""Whose money a request is about: a platform key names the organization, others are it or above it."""

from rest_framework.request import Request

from accounts import security
from accounts.credentials import credential_of, organization_of
from accounts.lib.addresses import client_address
from accounts.lib.problems import InvalidField, NotFound
from accounts.models import Organization
from accounts.permissions import OrganizationSuspended
from billing.exceptions import BilledByParent


def subject(request: Request, public_id: str | None) -> Organization:
    """The organization that is named; without a name, the caller's own. `NotFound` beyond what it may see."""
    credential = credential_of(request)
    if public_id is None:
        if credential.is_platform:
            raise InvalidField("organization", "A platform key names the organization.")
        return organization_of(request)
    every = Organization.objects.all()
    visible = every if credential.is_platform else every.within(organization_of(request))
    found = visible.filter(public_id=public_id).first()
    if found is None:
        raise NotFound("There is no such organization.")
    check_address(request, found)
    return found


def payer(request: Request, public_id: str | None) -> Organization:
    """The same, which must be one that pays for itself."""
    found = subject(request, public_id)
    if not found.is_root:
        raise BilledByParent
    return found


def admitted(request: Request, public_id: str | None) -> Organization:
    """The same, which must not be suspended: it is to spend."""
    found = subject(request, public_id)
    check_operational(found)
    return found


def check_operational(organization: Organization) -> None:
    if not organization.is_operational:
        raise OrganizationSuspended


def check_address(request: Request, organization: Organization) -> None:
    """An organization beneath the caller's own may have a stricter list of networks."""
    credential = credential_of(request)
    if not credential.is_platform and organization != credential.organization:
        security.check_address(organization, client_address(request))
