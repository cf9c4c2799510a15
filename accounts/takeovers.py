"""Proving an address in another way than by the code of one's own sign-up: by the link of a password reset, say.

Whoever made the account may have been a stranger, who made it before the owner of the address came. So what they made
ends: their sign-ins, their second factors, and the people whom they let in. The keys are in `apikeys.departures`.
"""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction

from accounts import people
from accounts.models import Invitation, Membership, Organization, TokenFamily, User


def is_needed(user: User) -> bool:
    return not user.has_proved_email


def owned(user: User) -> list[Organization]:
    """The organizations of which the user is an owner by a role of their own."""
    owning = Membership.objects.filter(user=user, role=Membership.Role.OWNER).values("organization")
    return list(Organization.objects.filter(pk__in=owning))


def followers(user: User, organization: Organization) -> set[int]:
    """Who came into the organization or beneath it by the user's invitations, or by those of people who did."""
    accepted = Invitation.objects.filter(
        organization__in=Organization.objects.within(organization), accepted_at__isnull=False
    )
    invited = list(accepted.values_list("invited_by", "email"))
    members = dict(
        Membership.objects.filter(organization__path__contains=[organization.pk]).values_list("user__email", "user")
    )
    reached, waiting = {user.pk}, [user.pk]
    while waiting:
        inviter = waiting.pop()
        new = {members[email] for by, email in invited if by == inviter and email in members} - reached
        reached |= new
        waiting.extend(new)
    return reached - {user.pk}


@transaction.atomic
def take_over(user: User, now: datetime) -> None:
    """The address is proved. End what the account had until now, but for its organizations and their books."""
    for organization in owned(user):
        within = Organization.objects.within(organization)
        gone = followers(user, organization)
        Membership.objects.filter(organization__in=within, user__in=gone).delete()
        pending = Invitation.objects.open().filter(organization__in=within, invited_by__in=gone | {user.pk})
        pending.update(revoked_at=now)
    TokenFamily.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
    Authenticator.objects.filter(user=user).delete()
    user.email_verified_at = now
    user.save(update_fields=["email_verified_at"])
    people.tell(user, "email.verified", {})
