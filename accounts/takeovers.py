"""An account returns to its owner: whatever somebody else created there ends.

There are two cases. If the owner proves the address in another way than with the code of their own sign-up, a stranger
may have created the account, so everything that it has ends. If the owner takes a changed address back, everything
created since the change ends. The keys and service accounts are in `apikeys.recoveries`.
"""

from collections.abc import Iterable
from datetime import datetime

from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Q

from accounts import events, invitations, people
from accounts.lib import identifiers
from accounts.models import (
    Event,
    Export,
    Invitation,
    LinkedAccount,
    Membership,
    Organization,
    TokenFamily,
    User,
    WebhookEndpoint,
)
from accounts.webhooks import endpoints


def is_needed(user: User) -> bool:
    return not user.has_proved_email


def owned(user: User) -> list[Organization]:
    """The organizations of which the user is an owner by a role of their own."""
    owning = Membership.objects.filter(user=user, role=Membership.Role.OWNER).values("organization")
    return list(Organization.objects.filter(pk__in=owning))


def joined(user: User) -> list[Organization]:
    """The organizations in which the user has a role of their own."""
    return list(Organization.objects.filter(pk__in=user.memberships.values("organization")))


def followers(user: User, organization: Organization, since: datetime | None = None) -> set[int]:
    """Who came into the organization or beneath it by the user's invitations, or by those of people who did."""
    accepted = Invitation.objects.filter(
        organization__in=Organization.objects.within(organization), accepted_at__isnull=False
    )
    if since:
        accepted = accepted.filter(created_at__gte=since)
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


def made_since(user: User, type: str, since: datetime) -> set[str]:
    """The public ids of the objects that the user, or one of their keys, has done this to since then, according to the
    events.
    """
    reached = Organization.objects.visible_to(user)
    rows = Event.objects.filter(organization__in=reached, pk__gte=identifiers.first_uuid7(since), type=type)
    person = f"user:{user.pk}"
    rows = rows.filter(Q(actor__id=person) | Q(context__person=person), created_at__gte=since)
    return {targets[0] for targets in rows.values_list("targets", flat=True) if targets}


@transaction.atomic
def take_over(user: User, now: datetime) -> None:
    """The address is proved. End everything that the account had so far, except its organizations and their books."""
    for organization in owned(user):
        within = Organization.objects.within(organization)
        gone = followers(user, organization)
        _send_away(organization, gone, now)
        _withdraw(Invitation.objects.open().filter(organization__in=within, invited_by__in=gone | {user.pk}))
        _delete(WebhookEndpoint.objects.kept().filter(organization__in=within))
        Export.objects.filter(organization__in=within).delete()
    Export.objects.of_person(user).delete()
    TokenFamily.objects.filter(user=user, revoked_at=None).update(revoked_at=now)
    Authenticator.objects.filter(user=user).delete()
    LinkedAccount.objects.filter(user=user).delete()
    user.email_verified_at = now
    user.save(update_fields=["email_verified_at"])
    people.tell(user, "email.verified", {})


@transaction.atomic
def end_since(user: User, since: datetime, now: datetime) -> None:
    """End everything that the account got since then: people, invitations, endpoints, exports, second factors and
    links.

    An endpoint that was only changed since then is disabled: it may lead elsewhere now.
    """
    for organization in joined(user):
        within = Organization.objects.within(organization)
        gone = followers(user, organization, since)
        _send_away(organization, gone, now)
        pending = Invitation.objects.open().filter(organization__in=within, created_at__gte=since)
        _withdraw(pending.filter(invited_by__in=gone | {user.pk}))
    theirs = Q(user=user) | Q(requested_by=f"user:{user.pk}")
    Export.objects.filter(theirs, created_at__gte=since).delete()
    _delete(_endpoints(made_since(user, "webhook_endpoint.created", since)))
    for endpoint in _endpoints(made_since(user, "webhook_endpoint.changed", since)):
        endpoints.disable(endpoint)
    Authenticator.objects.filter(user=user, created_at__gte=since).delete()
    LinkedAccount.objects.filter(user=user, created_at__gte=since).delete()


def _send_away(organization: Organization, gone: set[int], now: datetime) -> None:
    within = Organization.objects.within(organization)
    for row in Membership.objects.filter(organization__in=within, user__in=gone):
        row.delete()
        member = f"user:{row.user_id}"
        data = {"member": member, "role": row.role}
        events.record(row.organization_id, "member.removed", data, now, targets=[member])


def _withdraw(pending: Iterable[Invitation]) -> None:
    for invitation in pending:
        invitations.withdraw(invitation)


def _endpoints(public_ids: Iterable[str]) -> Iterable[WebhookEndpoint]:
    keys = [identifiers.uuid_of(public_id, "we_") for public_id in public_ids]
    return WebhookEndpoint.objects.kept().filter(pk__in=keys)


def _delete(rows: Iterable[WebhookEndpoint]) -> None:
    for endpoint in rows:
        endpoints.delete(endpoint)
