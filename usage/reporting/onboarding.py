"""The first steps of a new organization, read from its data, and which people have hidden them."""

from dataclasses import dataclass
from datetime import datetime

from accounts.models import Organization, User
from apikeys.models import ApiKey
from billing.models import BillingAccount, LedgerEntry, PaymentMethod
from usage.models import DismissedChecklist, UsageRollup


@dataclass(frozen=True)
class Checklist:
    """The steps in their order, and whether each is done. `key` is what the first request is made with."""

    steps: dict[str, bool]
    is_dismissed: bool
    key: ApiKey | None

    @property
    def is_done(self) -> bool:
        return all(self.steps.values())

    @property
    def is_shown(self) -> bool:
        return not (self.is_done or self.is_dismissed)


def of(organization: Organization, person: User | None) -> Checklist:
    dismissed = person and DismissedChecklist.objects.filter(organization=organization, user=person).exists()
    keys = ApiKey.objects.of(organization).unrevoked().prefetch_related("secrets")
    return Checklist(progress(organization), bool(dismissed), keys.order_by("-created_at", "-pk").first())


def progress(organization: Organization) -> dict[str, bool]:
    """A child has no steps for money: its root pays. The first request is any that a key of it was used for."""
    paying = {
        "billing_account": BillingAccount.objects.of(organization).open().exists(),
        "card": PaymentMethod.objects.of(organization).exists(),
        "credits": LedgerEntry.objects.of(organization).filter(amount__gt=0).exists(),
    }
    used = ApiKey.objects.of(organization).filter(last_used_at__isnull=False)
    calling = {
        "api_key": ApiKey.objects.of(organization).exists(),
        "first_request": used.exists() or UsageRollup.objects.within(organization).exists(),
    }
    return {**(paying if organization.is_root else {}), **calling}


def dismiss(organization: Organization, person: User, now: datetime) -> None:
    """Hide the steps from this person here."""
    DismissedChecklist.objects.get_or_create(organization=organization, user=person, defaults={"dismissed_at": now})


def bring_back(organization: Organization, person: User) -> None:
    DismissedChecklist.objects.filter(organization=organization, user=person).delete()
