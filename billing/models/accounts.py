from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib import identifiers
from accounts.models import Organization, TenantQuerySet


class BillingAccountQuerySet(TenantQuerySet["BillingAccount"]):
    def open(self) -> Self:
        return self.filter(closed_at=None)


class BillingAccount(models.Model):
    """Who pays. Only a root organization can have one: a foreign key enforces it.

    A closed account counts as none. Creating it again reopens it, with its old id and currency.

    A prepaid account gets a statement of each month, a postpaid one an invoice of what it owes by then.

    For its papers: the form of `vat_id` was checked when it was entered. `vat_id_valid` is what the online register
    said about it, and null until then. `tax_exemption` is the reason, which stands on the papers; without one,
    `tax_percent` replaces the rate of the country. `purchase_order` is the buyer's own reference.

    The balance is in `LedgerAccount`, which exists from the first ledger entry on. That table is narrow, because
    every posting rewrites its row.
    """

    class Mode(models.TextChoices):
        PREPAID = "prepaid"
        POSTPAID = "postpaid"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    public_id = models.CharField(max_length=18, unique=True, default=identifiers.billing_account_id, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.PROTECT, related_name="billing_account")
    name = models.CharField(max_length=100)
    email = models.EmailField(max_length=250)
    currency = models.CharField(max_length=3, blank=True, editable=False)
    billing_mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.PREPAID, db_default="prepaid")
    country = models.CharField(max_length=2)
    city = models.CharField(max_length=50, blank=True)
    line1 = models.CharField(max_length=100, blank=True)
    line2 = models.CharField(max_length=100, blank=True)
    postal_code = models.CharField(max_length=10, blank=True)
    state = models.CharField(max_length=50, blank=True)
    vat_id = models.CharField("VAT id", max_length=30, blank=True, default="", db_default="")
    vat_id_valid = models.BooleanField("VAT id is valid", null=True, editable=False)
    vat_id_checked_at = models.DateTimeField("VAT id checked at", null=True, editable=False)
    vat_id_due_at = models.DateTimeField(null=True, editable=False)
    tax_exemption = models.CharField(max_length=200, blank=True, default="", db_default="")
    tax_percent = models.DecimalField(max_digits=6, decimal_places=3, null=True, blank=True)
    purchase_order = models.CharField(max_length=50, blank=True, default="", db_default="")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    closed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[BillingAccountQuerySet] = BillingAccountQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(
                fields=["vat_id_due_at"], condition=Q(vat_id_due_at__isnull=False), name="billing_account_vat_due"
            )
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(tax_percent=None) | Q(tax_percent__gte=0, tax_percent__lte=100),
                name="billing_account_tax_percent",
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.public_id})"

    @property
    def is_postpaid(self) -> bool:
        return self.billing_mode == self.Mode.POSTPAID
