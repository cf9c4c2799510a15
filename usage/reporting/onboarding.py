"""How far a new organization has come, read from the facts."""

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import BillingAccount, LedgerEntry, PaymentMethod
from usage.models import UsageRollup


def progress(organization: Organization) -> dict[str, bool]:
    """Each step in its order, and whether it is done. A child's root has seen to the money."""
    paying = {
        "billing_account": BillingAccount.objects.of(organization).open().exists(),
        "card": PaymentMethod.objects.of(organization).exists(),
        "credits": LedgerEntry.objects.of(organization).filter(amount__gt=0).exists(),
    }
    calling = {
        "api_key": ApiKey.objects.of(organization).exists(),
        "first_request": UsageRollup.objects.within(organization).exists(),
    }
    return {**(paying if organization.is_root else {}), **calling}
