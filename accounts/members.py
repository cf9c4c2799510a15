"""The people of an organization, and their roles. Nobody can grant, change or take away a role above their own.

A role is above you if you lack any of its scopes. It depends on what the credential may do now: an API key can't give
a role that holds more than the key itself.
"""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from accounts import events, scopes
from accounts.access import require
from accounts.credentials import Credential, Kind
from accounts.lib.problems import Conflict, Forbidden, NotFound
from accounts.lib.sentences import filled
from accounts.models import Membership, Organization, User
from accounts.models.organizations import MembershipQuerySet


class AboveOwnRole(Forbidden):
    """The role holds scopes that the caller does not."""

    code = "above_own_role"

    def __init__(self, role: str, missing: frozenset[str]) -> None:
        super().__init__(
            filled(
                "The role %(role)s is above yours: it holds %(scopes)s.", role=role, scopes=", ".join(sorted(missing))
            ),
            missing_scopes=sorted(missing),
        )


class InheritedMember(Conflict):
    """The role was given in an organization above, and can be changed only there."""

    code = "member_inherited"

    def __init__(self, source: Organization) -> None:
        super().__init__(
            filled("This role was given in %(source)s, and can be changed only there.", source=source.public_id)
        )


class LastOwner(Conflict):
    """A root organization without an owner could never be administered again."""

    code = "last_owner"
    detail = "This is the last owner of the organization. Make someone else an owner first."


def of(organization: Organization) -> MembershipQuerySet:
    """One membership for each person, the nearest: the organization's own before its ancestors'."""
    people = Membership.objects.reaching(organization.path).filter(user__is_service=False)
    return people.select_related("user", "organization").nearest()


def roles(organization: Organization, user: User) -> list[Membership]:
    """Each role of `user` that reaches the organization, from the root down."""
    reaching = Membership.objects.reaching(organization.path).filter(user=user).select_related("organization")
    return sorted(reaching, key=lambda membership: len(membership.organization.path))


def check_grant(role: str, by: Credential) -> None:
    """Refuse to give, change or take a role that has more scopes than the caller. No role is above the company."""
    if by.is_platform:
        require(by, "members:write")
    elif missing := scopes.BY_ROLE[role] - by.scopes:
        raise AboveOwnRole(role, missing)


@transaction.atomic
def change_role(organization: Organization, user_id: int, *, role: str, by: Credential) -> Membership:
    """Give a member another role. It applies to their next request, and to the next one of each API key they made."""
    membership = _locked(organization, user_id)
    check_grant(role, by)
    check_grant(membership.role, by)
    if role != Membership.Role.OWNER:
        _keep_an_owner(membership)
    before, after = {"role": membership.role}, {"role": role}
    membership.role = role
    membership.save(update_fields=["role"])
    member, now = f"user:{user_id}", timezone.now()
    events.record_change(organization.pk, "member.role_changed", before, after, now, targets=[member], member=member)
    return membership


def is_last_owner(membership: Membership) -> bool:
    """An organization beneath another one needs no owner of its own."""
    if not membership.organization.is_root or membership.role != Membership.Role.OWNER:
        return False
    owners = Q(organization=membership.organization_id, role=Membership.Role.OWNER, user__is_active=True)
    return not Membership.objects.filter(owners).exclude(pk=membership.pk).exists()


@transaction.atomic
def remove(organization: Organization, user_id: int, *, by: Credential) -> None:
    """Take a member's role away. Anyone may leave; removing others needs `members:write`."""
    leaving = by.kind is not Kind.API_KEY and by.user is not None and by.user.pk == user_id
    if not leaving:
        require(by, "members:write")
    membership = _locked(organization, user_id)
    if not leaving:
        check_grant(membership.role, by)
    _keep_an_owner(membership)
    _end(membership, timezone.now())


@transaction.atomic
def leave(membership: Membership, now: datetime) -> None:
    """Remove the member. `LastOwner` if they are the last owner, unless the organization is closed."""
    organization = Organization.objects.lock(membership.organization_id)
    if organization.status != Organization.Status.CLOSED:
        _keep_an_owner(membership)
    _end(membership, now)


def _end(membership: Membership, now: datetime) -> None:
    member = f"user:{membership.user_id}"
    data = {"member": member, "role": membership.role}
    membership.delete()
    events.record(membership.organization_id, "member.removed", data, now, targets=[member])


def _locked(organization: Organization, user_id: int) -> Membership:
    """The membership, read under a lock of its organization.

    There's a race here: without the lock, two owners could leave at once, each seeing the other as the last."""
    Organization.objects.lock(organization.pk)
    reaching = Membership.objects.reaching(organization.path).filter(user_id=user_id, user__is_service=False)
    membership = reaching.select_related("user", "organization").nearest().first()
    if membership is None:
        raise NotFound("Unknown member.")
    if membership.organization_id != organization.pk:
        raise InheritedMember(membership.organization)
    return membership


def _keep_an_owner(membership: Membership) -> None:
    if is_last_owner(membership):
        raise LastOwner
