"""What happens to a closed organization: no more invitations and webhooks, and after a while personal data is erased.

Whether it may be closed is a question of money, so `billing.closing` answers it.
"""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from accounts import events
from accounts.models import Event, Invitation, Organization, PersonalData, SecurityPolicy, WebhookEndpoint
from accounts.webhooks import endpoints

KEPT = timedelta(days=30)
BATCH = 1000


@transaction.atomic
def close(organization: Organization, now: datetime) -> None:
    """Close it for good, and end everything that would continue by itself. The caller has locked its root."""
    for endpoint in WebhookEndpoint.objects.of(organization):
        endpoints.delete(endpoint)
    for invitation in Invitation.objects.of(organization).open():
        Invitation.objects.filter(pk=invitation.pk).update(revoked_at=now)
        data = {"invitation": invitation.public_id, "actor": events.origin.actor().id}
        events.record(organization.pk, "invitation.revoked", data, now, targets=[invitation.public_id])
    Organization.objects.filter(pk=organization.pk).update(status=Organization.Status.CLOSED, closed_at=now)
    organization.refresh_from_db(fields=["status", "closed_at"])
    events.record(organization.pk, "organization.closed", {}, now, targets=[organization.public_id])


def forget(now: datetime) -> int:
    """Erase personal data of organizations that were closed 30 days ago. Returns how many there were.

    Their ledger and their papers stay: the law asks for them for years.
    """
    due = Organization.objects.filter(closed_at__lte=now - KEPT, forgotten_at=None)
    return sum(_forget(pk, now) for pk in due.values_list("pk", flat=True))


def _forget(pk: UUID, now: datetime) -> int:
    """Batches first, so that a run that was killed continues where it stopped."""
    kept = PersonalData.objects.filter(event__in=Event.objects.filter(organization=pk).values("pk"))
    while ids := list(kept.values_list("pk", flat=True)[:BATCH]):
        PersonalData.objects.filter(pk__in=ids).delete()
    with transaction.atomic():
        Invitation.objects.filter(organization=pk).delete()
        SecurityPolicy.objects.filter(organization=pk).delete()
        return Organization.objects.filter(pk=pk, forgotten_at=None).update(forgotten_at=now)
