"""Accepting an invitation, by somebody who has an account or by signing up."""

from django.db import IntegrityError, transaction
from django.utils import timezone

from accounts import events, invitations, people, scopes, security, sign_in_limits
from accounts.access import EmailNotVerified
from accounts.lib.problems import Conflict, Gone, NotFound
from accounts.models import Invitation, Membership, Organization, User


class InvitationEmailMismatch(Conflict):
    """The person who is signed in has another address than the invitation."""

    code = "invitation_email_mismatch"
    detail = "This invitation is for another email address. Sign in with that one."


class InviterLostRight(Conflict):
    """Whoever sent the invitation may no longer give this role."""

    code = "inviter_lost_right"
    detail = "Whoever sent this invitation may no longer give this role. Ask for a new one."


class InvitationExpired(Gone):
    """It was not accepted in time."""

    code = "invitation_expired"
    detail = "This invitation has expired. Ask for a new one."


class InvitationRevoked(Gone):
    """It was withdrawn by those who administer the organization."""

    code = "invitation_revoked"
    detail = "This invitation was revoked."


def find(token: str) -> Invitation:
    """The invitation that a token belongs to."""
    known = Invitation.objects.filter(digest=invitations.digest(token)).select_related("organization", "invited_by")
    invitation = known.first()
    if invitation is None:
        raise NotFound("There is no such invitation.")
    return invitation


def look_up(token: str, network: str) -> Invitation:
    """As `find`, for a token that a caller sends: a network may send five wrong ones in five minutes."""
    with sign_in_limits.guess("invitation", network):
        return find(token)


@transaction.atomic
def accept(token: str, *, user: User) -> Invitation:
    """Make `user` a member. The guarded update decides who accepts; a later refusal rolls it back."""
    invitation = find(token)
    # There's a race here: the inviter may be demoted at this moment.
    Organization.objects.lock(invitation.organization_id)
    now = timezone.now()
    pending = Invitation.objects.pending(now).filter(pk=invitation.pk, digest=invitation.digest)
    decided = pending.update(accepted_at=now) == 1
    invitation = find(token)
    if not decided:
        raise _refusal(invitation)
    if invitation.email != user.email:
        raise InvitationEmailMismatch
    if not user.has_proved_email:  # the link proves nothing: the inviter has seen it too
        raise EmailNotVerified
    if not security.effective(invitation.organization).admits_email(user.email):
        raise invitations.EmailDomainNotAllowed
    _check_inviter(invitation)
    _join(invitation, user)
    person = events.Actor.of_person(user.pk)
    invitations.tell(invitation, "invitation.accepted", person, member=person.id, role=invitation.role)
    return invitation


def check(token: str, email: str) -> None:
    """Refuse a token that nobody with this address can accept."""
    invitation = find(token)
    if invitation.status(timezone.now()) != "pending":
        raise _refusal(invitation)
    if invitation.email != email:
        raise InvitationEmailMismatch


@transaction.atomic
def sign_up(user: User, token: str) -> Organization:
    """Save a new user who was invited: they join that organization, and get none of their own."""
    people.register(user)
    organization = accept(token, user=user).organization
    people.switch(user, organization)
    return organization


def _refusal(invitation: Invitation) -> Exception:
    if invitation.accepted_at:
        return invitations.InvitationAccepted()
    return InvitationRevoked() if invitation.status(timezone.now()) == "revoked" else InvitationExpired()


def _check_inviter(invitation: Invitation) -> None:
    """The inviter needs the right to invite now, not only when they invited. The company always has it."""
    inviter, organization = invitation.invited_by, invitation.organization
    if invitation.by_company and organization.is_operational:
        return
    held = scopes.of_roles(organization.roles_of(inviter)) if inviter and inviter.is_active else frozenset()
    if "members:write" not in held or scopes.BY_ROLE[invitation.role] - held or not organization.is_operational:
        raise InviterLostRight


def _join(invitation: Invitation, user: User) -> None:
    try:
        with transaction.atomic():
            Membership.objects.create(organization=invitation.organization, user=user, role=invitation.role)
    except IntegrityError as error:
        if "membership_once" not in str(error):
            raise
        raise invitations.AlreadyMember from error
