"""The organization whose money a request is about. A platform key names it; others mean themselves or one beneath."""

from rest_framework.request import Request

from accounts.api import lookups
from accounts.credentials import organization_of
from accounts.models import Organization
from billing import accounts
from billing.exceptions import BilledByParent


def payer(request: Request, public_id: str | None = None) -> Organization:
    """The organization that a request is about, which must pay for itself."""
    organization = lookups.organization(request, public_id)
    if not organization.is_root:
        raise BilledByParent
    return organization


def own_payer(request: Request) -> Organization:
    """The current organization, which must pay for itself."""
    organization = organization_of(request)
    accounts.find(organization)
    return organization


def admitted(request: Request, public_id: str | None) -> Organization:
    """The organization that a request is about, which must not be suspended."""
    organization = lookups.organization(request, public_id)
    accounts.require_operational(organization)
    return organization
