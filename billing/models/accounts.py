from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models import Organization, TenantQuerySet


class BillingAccountQuerySet(TenantQuerySet["BillingAccount"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)


class BillingAccount(models.Model):
    """Who pays. Only a root organization can have one: a foreign key enforces it.

    A closed account counts as none. Creating it again reopens it, with its old id and currency.

    The balance is in `LedgerAccount`, which exists from the first ledger entry on. That table is narrow, because
    every posting rewrites its row.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    public_id = models.CharField(max_length=18, unique=True, default=identifiers.billing_account_id, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="billing_account")
    name = models.CharField(max_length=100)
    email = models.EmailField(max_length=250)
    currency = models.CharField(max_length=3, blank=True, editable=False)
    country = models.CharField(max_length=2)
    city = models.CharField(max_length=50, blank=True)
    line1 = models.CharField(max_length=100, blank=True)
    line2 = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=50, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[BillingAccountQuerySet] = BillingAccountQuerySet.as_manager()  # type: ignore[assignment]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"
