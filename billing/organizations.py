"""What the payer's ledger has to know of its tree: changes of time zone."""

from django.db import transaction
from django.utils import timezone

from accounts.models import Organization
from billing.ledger import posting
from billing.models import LedgerAccount


@transaction.atomic
def change_timezone(organization: Organization, timezone_name: str) -> None:
    """Change an organization's time zone. The months of a payer are counted in it from the next turn of the month on.

    An account is opened if there is none: so whoever opened one meanwhile has counted in a time zone that is known.
    """
    now = timezone.now()
    if organization.is_root:
        zone = posting.lock([organization.pk], now)[organization.pk].zone
        changed = zone.changed(timezone_name, now)
        LedgerAccount.objects.filter(pk=organization.pk).update(zones=changed.stored())
    Organization.objects.filter(pk=organization.pk).update(timezone=timezone_name)
    organization.timezone = timezone_name
