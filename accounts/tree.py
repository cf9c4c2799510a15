"""The organization tree: who sees which part of it, suspending and resuming a subtree, moving one within its payer.

Whoever changes the shape of a tree holds a lock of its root, and reads the paths under it: of two moves that cross, the
second sees the first, so that no cycle comes of it.
"""

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import Case, F, Func, Value, When

from accounts import scopes, security
from accounts.credentials import Credential, Kind
from accounts.lib.problems import Conflict, Forbidden, NotFound
from accounts.models import Organization
from accounts.models.organizations import MAX_DEPTH, OrganizationQuerySet
from accounts.permissions import OrganizationRequired, require

ADMINISTER = "account:write"
Status = Organization.Status


class OperatorRequired(Forbidden):
    """A root organization is suspended and resumed by the company alone."""

    code = "operator_required"
    detail = "Only the operator suspends or resumes a root organization."


class ParentRequired(Forbidden):
    """A suspended organization is resumed from above."""

    code = "parent_required"
    detail = "Only those who administer the parent may resume an organization."


class OrganizationClosed(Conflict):
    """What is closed stays closed."""

    code = "organization_closed"
    detail = "The organization is closed."


class RootStays(Conflict):
    """A root pays for its tree, so it has no parent."""

    code = "root_organization"
    detail = "A root organization can't be moved."


class AnotherPayer(Conflict):
    """The two belong to different roots, which pay each for its own."""

    code = "another_payer"
    detail = "An organization moves within its payer only."


class Cycle(Conflict):
    """The new parent is the organization itself, or beneath it."""

    code = "cycle"
    detail = "An organization can't be beneath itself."


class TooDeep(Conflict):
    """The tree would be deeper than it may be."""

    code = "too_deep"
    detail = f"Organizations nest at most {MAX_DEPTH} deep."


def visible_to(credential: Credential) -> OrganizationQuerySet:
    """A person sees every organization of theirs; a program its own and what is beneath; a platform key all."""
    if credential.is_platform:
        return Organization.objects.all()
    if credential.kind is not Kind.API_KEY and credential.user:
        return Organization.objects.visible_to(credential.user)
    if credential.organization:
        return Organization.objects.within(credential.organization)
    raise OrganizationRequired


def named(by: Credential, address: str, among: OrganizationQuerySet | None = None, **name: str) -> Organization:
    """The organization that a caller names, by `public_id` or `auth_id`. Every route that takes a name asks here.

    `among` narrows what the caller may name; by default that is all it can see. Raises `NotFound` for any other name,
    and `NetworkNotAllowed` where the organization's own policy does not admit the caller's address.
    """
    organization = (visible_to(by) if among is None else among).filter(**name).first()
    if organization is None:
        raise NotFound("There is no such organization.")
    check_address(by, organization, address)
    return organization


def check_address(by: Credential, organization: Organization, address: str) -> None:
    """Apply the network policy of an organization that is not the caller's own: it may be stricter.

    The policy of the caller's own is applied to every request by `HasScope`. None binds the operator.
    """
    if not by.is_platform and organization != by.organization:
        security.check_address(organization, address)


def standing(credential: Credential, organization: Organization) -> Credential:
    """The credential as it stands in another organization, where its person may have another role."""
    if credential.user is None:
        return credential
    held = scopes.of_roles(organization.roles_of(credential.user))
    return credential.in_organization(organization, held)


def suspend(organization: Organization, *, by: Credential) -> Organization:
    """Stop the organization and all beneath it, from the next request on. Again changes nothing.

    For those who administer it or its parent, and for the operator.
    """
    _check_root(organization, by)
    check_administers(organization, by)
    return _become(organization, Status.SUSPENDED)


def resume(organization: Organization, *, by: Credential) -> Organization:
    """Undo a suspension: for those who administer the parent, since what is suspended can't free itself."""
    _check_root(organization, by)
    if not (by.is_platform or _administers_parent(organization, by)):
        raise ParentRequired
    return _become(organization, Status.ACTIVE)


def check_administers(organization: Organization, by: Credential) -> None:
    """Refuse whoever administers neither the organization nor its parent."""
    if not _administers_parent(organization, by):
        require(standing(by, organization), ADMINISTER)


def _check_root(organization: Organization, by: Credential) -> None:
    if by.is_platform:
        require(by, ADMINISTER)
    elif organization.is_root:
        raise OperatorRequired


def _administers_parent(organization: Organization, by: Credential) -> bool:
    """Not through an API key of the organization itself, whoever made it: nothing reaches up."""
    parent = visible_to(by).filter(children=organization).first()
    return parent is not None and ADMINISTER in standing(by, parent).scopes


def _become(organization: Organization, status: str) -> Organization:
    Organization.objects.filter(pk=organization.pk).exclude(status=Status.CLOSED).update(status=status)
    organization.refresh_from_db(fields=["status"])
    if organization.status == Status.CLOSED:
        raise OrganizationClosed
    return organization


@transaction.atomic
def move(organization: Organization, *, parent: str, by: Credential, address: str) -> Organization:
    """Put the organization, with all beneath it, under another parent of the same root.

    It takes the right to administer the organization, its new parent, and whoever above loses it; and an `address` that
    the new parent allows, unless the operator asks.
    """
    Organization.objects.lock(organization.root_id)
    node = Organization.objects.get(pk=organization.pk)
    target = named(by, address, public_id=parent)
    for concerned in (node, target, *_losers(node, target)[:1]):
        require(standing(by, concerned), ADMINISTER)
    _check_move(node, target)
    _rewrite(node, target)
    return Organization.objects.select_related("parent").get(pk=node.pk)


def _check_move(node: Organization, target: Organization) -> None:
    if node.is_root:
        raise RootStays
    if target.root_id != node.root_id:
        raise AnotherPayer
    if node.pk in target.path:
        raise Cycle
    depths = [len(path) for path in Organization.objects.within(node).values_list("path", flat=True)]
    if len(target.path) + max(depths) - len(node.path) + 1 > MAX_DEPTH:
        raise TooDeep


def _losers(node: Organization, target: Organization) -> list[Organization]:
    """The ancestors that will no longer be above the node, from the top: who administers the first, does all."""
    lost = set(node.path[:-1]) - set(target.path)
    return sorted(Organization.objects.filter(pk__in=lost), key=lambda organization: len(organization.path))


def _rewrite(node: Organization, target: Organization) -> None:
    """The paths of the whole subtree and the node's parent, in one statement: no reader sees half of a move."""
    paths = ArrayField(models.UUIDField())
    kept = Func(F("path"), template=f"(%(expressions)s)[{len(node.path)}:]", output_field=paths)
    above = Value(target.path, output_field=paths)
    Organization.objects.within(node).update(
        path=Func(above, kept, function="array_cat", output_field=paths),
        parent=Case(When(pk=node.pk, then=Value(target.pk)), default=F("parent")),
    )
