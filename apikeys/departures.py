"""When a member leaves an organization: what happens to the API keys that they made there."""

from datetime import datetime
from uuid import UUID

from django.db import transaction
from django.utils import timezone

from accounts import closing, erasure, members, service_accounts
from accounts.credentials import Credential
from accounts.lib.problems import Conflict, InvalidField
from accounts.models import Organization, ServiceAccount, User
from apikeys import keys
from apikeys.models import ApiKey


@transaction.atomic
def remove_member(organization: Organization, user_id: int, *, by: Credential, hand_over: bool) -> list[ApiKey]:
    """Remove a member, and revoke the keys that have no role behind them any more, or hand them over to the remover.

    Returns those keys, of the organization and of all beneath it. A key that was handed over does what its own
    permissions and its new creator's role allow.
    """
    if hand_over and by.user is None:
        raise InvalidField("api_keys", "Only a person can take over the keys.")
    if hand_over and by.user and by.user.pk == user_id:
        raise InvalidField("api_keys", "Nobody can hand over to themselves. Someone who stays has to remove you.")
    now = timezone.now()
    members.remove(organization, user_id, by=by)
    service_accounts.hand_over(organization, user_id, by=by, now=now)
    left = _without_role(organization, user_id)
    rows = ApiKey.objects.filter(pk__in=left).select_related("organization").order_by("created_at", "pk")
    rows.update(created_by=by.user) if hand_over else rows.update(revoked_at=now)
    for key in rows:
        if hand_over:
            assert by.user is not None
            keys.tell(key, "handed_over", now, creator=f"user:{by.user.pk}")
        else:
            keys.tell_revoked(key, now)
    return list(rows)


@transaction.atomic
def remove_service_account(account: ServiceAccount, *, by: Credential, now: datetime) -> None:
    """Its keys are revoked with it. As with people, nobody can remove one whose role is above their own."""
    for membership in account.user.memberships.all():
        members.check_grant(membership.role, by)
    end_service_account(account, now)


def end_service_account(account: ServiceAccount, now: datetime) -> None:
    service_accounts.remove(account, now)
    for key in ApiKey.objects.within(account.organization).unrevoked().filter(created_by=account.user_id):
        keys.revoke(key)


def erase(user: User, now: datetime) -> None:
    """Erase a person. Their keys are revoked, and other people become responsible for their service accounts."""
    _leave(user, now)
    erasure.forget(user, now)


@transaction.atomic
def _leave(user: User, now: datetime) -> None:
    erasure.check(user)
    for membership in user.memberships.select_related("organization"):
        service_accounts.hand_over(membership.organization, user.pk, by=None, now=now)
    for key in ApiKey.objects.unrevoked().filter(created_by=user):
        keys.revoke(key)
    erasure.become_nobody(user, now)


def erase_due(now: datetime) -> int:
    """Erase people who asked for it 14 days ago. People who have become a sole owner since get an email, and are tried
    again later.
    """
    due = User.objects.filter(erase_at__lte=now, erased_at=None)
    erased = 0
    for user in due:
        try:
            if _leave_if_still_due(user, now):
                erasure.forget(user, now)
                erased += 1
        except Conflict as refusal:
            erasure.postpone(user, str(refusal), now)
    return erased


@transaction.atomic
def _leave_if_still_due(user: User, now: datetime) -> bool:
    """There's a race: while others are erased, a person who is due may take it back. So the person is locked."""
    due = User.objects.select_for_update(no_key=True).filter(pk=user.pk, erase_at__lte=now, erased_at=None)
    if row := due.first():
        _leave(row, now)
    return row is not None


@transaction.atomic
def close(organization: Organization, now: datetime) -> None:
    """Close it for good. All keys in it and beneath it are revoked, and its service accounts end."""
    for account in ServiceAccount.objects.within(organization).living():
        end_service_account(account, now)
    for key in ApiKey.objects.within(organization).unrevoked():
        keys.revoke(key)
    closing.close(organization, now)


def _without_role(organization: Organization, user_id: int) -> list[UUID]:
    """The keys of a former member in organizations that no role of theirs reaches. A role above or beneath may stay."""
    reached = Organization.objects.visible_to(user_id)
    keys = ApiKey.objects.within(organization).unrevoked().filter(created_by=user_id)
    return list(keys.exclude(organization__in=reached).values_list("pk", flat=True))
