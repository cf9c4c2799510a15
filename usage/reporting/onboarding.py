"""How far a new organization has come, read from its data."""

from accounts.models import Organization
from apikeys.models import ApiKey
from billing.models import BillingAccount, LedgerEntry, PaymentMethod
from usage.models import UsageRollup


def progress(organization: Organization) -> dict[str, bool]:
    """The steps in their order, and whether each is done. A child has no steps for money: its root pays."""
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
