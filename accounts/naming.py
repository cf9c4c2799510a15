"""Which organizations a caller sees and may name, and what it may do there."""

from dataclasses import replace

from accounts import scopes, security
from accounts.access import OrganizationRequired
from accounts.credentials import Credential, Kind
from accounts.lib.problems import NotFound
from accounts.models import Organization
from accounts.models.organizations import OrganizationQuerySet


def visible_to(credential: Credential) -> OrganizationQuerySet:
    """A person sees all their organizations, a program its own and those beneath, a platform key every one.

    A platform key that acts for an organization sees what a program of that one sees.
    """
    if credential.is_platform and credential.organization is None:
        return Organization.objects.all()
    if credential.kind not in (Kind.API_KEY, Kind.VISIT) and credential.user:
        return Organization.objects.visible_to(credential.user)
    if credential.organization:
        return Organization.objects.within(credential.organization)
    raise OrganizationRequired


def named(by: Credential, address: str, among: OrganizationQuerySet | None = None, **name: str) -> Organization:
    """The organization that a caller names, by `public_id` or `auth_id`. Every route that takes a name uses this.

    `among` narrows what the caller may name; by default that is all it can see. Raises `NotFound` for any other name,
    and `NetworkNotAllowed` where the organization's own policy does not admit the caller's address.
    """
    organization = (visible_to(by) if among is None else among).filter(**name).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    check_address(by, organization, address)
    return organization


def nameable(by: Credential) -> OrganizationQuerySet:
    """The organizations that a request may name: its own and those beneath. A platform key that acts for none may name
    any.
    """
    if by.organization:
        return Organization.objects.within(by.organization)
    return Organization.objects.all() if by.is_platform else Organization.objects.none()


def acting(by: Credential, address: str, public_id: str) -> Credential:
    """The same credential, acting for the organization that it names. `NotFound` if it may not name that one.

    A platform key acts as one of the organization's own would, in its time zone, but no suspension binds the company.
    """
    organization = named(by, address, nameable(by), public_id=public_id)
    if by.is_platform:
        return replace(by, organization=organization, timezone=organization.timezone)
    return standing(by, organization)


def check_address(by: Credential, organization: Organization, address: str) -> None:
    """Apply the security policy of an organization that is not the caller's own: it may be stricter.

    The policy of the caller's own is applied to every request by `HasScope`. None binds the operator.
    """
    if not by.is_platform and organization != by.organization:
        security.check(by, organization, address)


def standing(credential: Credential, organization: Organization) -> Credential:
    """The same credential in another organization, in which its person may have another role."""
    if credential.user is None:
        return credential
    if credential.kind is Kind.VISIT:
        return credential.in_organization(organization, credential.held)
    held = scopes.of_roles(organization.roles_of(credential.user))
    return credential.in_organization(organization, held)
