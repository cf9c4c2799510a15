"""An account returns to its owner, with its API keys and service accounts. See `accounts.takeovers`."""

from datetime import datetime

from django.db import transaction

from accounts import email_changes, takeovers
from accounts.lib import identifiers
from accounts.models import Membership, Organization, ServiceAccount, User
from apikeys import departures, keys
from apikeys.models import ApiKey, ApiKeySecret


@transaction.atomic
def take_over(user: User, now: datetime) -> None:
    """The owner of an address has proved it, but a stranger may have created the account: nothing of it stays."""
    for organization in takeovers.owned(user):
        makers = takeovers.followers(user, organization) | {user.pk}
        within = Organization.objects.within(organization)
        staying = Membership.objects.filter(organization__in=within, user__is_service=False).exclude(user__in=makers)
        for key in ApiKey.objects.within(organization).unrevoked().filter(created_by__in=makers):
            keys.revoke(key)
        living = ServiceAccount.objects.within(organization).living()
        for account in living.exclude(responsible__in=list(staying.values_list("user", flat=True))):
            departures.end_service_account(account, now)
    takeovers.take_over(user, now)


@transaction.atomic
def undo_email_change(token: str, now: datetime) -> User:
    """Restore the old address, and end everything that was created in the account since the change."""
    since = email_changes.find(token, now).created_at
    user = email_changes.undo(token, now)
    for key in ApiKey.objects.unrevoked().filter(created_by=user, created_at__gte=since):
        keys.revoke(key)
    rotated = takeovers.made_since(user, "api_key.rotated", since)
    ApiKeySecret.objects.filter(key__public_id__in=rotated, created_at__gte=since).update(expires_at=now)
    accounts = [
        identifiers.uuid_of(public_id, "svc_")
        for public_id in takeovers.made_since(user, "service_account.created", since)
    ]
    for account in ServiceAccount.objects.living().filter(pk__in=accounts):
        departures.end_service_account(account, now)
    takeovers.end_since(user, since, now)
    return user
