from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone

from accounts.lib import identifiers
from accounts.lib.money import AmountField
from accounts.models import Organization, TenantQuerySet


class PaymentMethodQuerySet(TenantQuerySet["PaymentMethod"]):
    def of(self, organization: Organization) -> Self:
        """The cards on file, without removed ones."""
        return super().of(organization).filter(removed_at=None)


class PaymentMethod(models.Model):
    """A card on file with the gateway. We keep the gateway's token and what may be shown of the card.

    The row of a removed card stays, because payments refer to it.
    """

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payment_methods")
    gateway = models.CharField(max_length=20)
    gateway_token = models.CharField(max_length=100)
    brand = models.CharField(max_length=20)
    last4 = models.CharField(max_length=4)
    exp_month = models.PositiveSmallIntegerField()
    exp_year = models.PositiveSmallIntegerField()
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now, editable=False)

    removed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[PaymentMethodQuerySet] = PaymentMethodQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(is_default=True), name="payment_method_one_default"
            ),
            models.CheckConstraint(
                condition=Q(is_default=False) | Q(removed_at=None), name="payment_method_removed_is_no_default"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.brand} …{self.last4}"

    @property
    def public_id(self) -> str:
        return f"pm_{self.pk.hex}"


class Payment(models.Model):
    """One attempt to charge a card. The row is also the queue: it is committed before the gateway is called.

    Its id is the idempotency key at the gateway and in the ledger. However often it is settled, there is one charge
    and one ledger entry.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        ACTION_REQUIRED = "action_required"
        SUCCEEDED = "succeeded"
        FAILED = "failed"

    id = models.UUIDField(primary_key=True, default=identifiers.uuid7, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="payments")
    method = models.ForeignKey(PaymentMethod, on_delete=models.PROTECT, related_name="payments")
    amount = AmountField()
    currency = models.CharField(max_length=3)
    status = models.CharField(max_length=15, choices=Status.choices, default=Status.PENDING)
    failure_code = models.CharField(max_length=60, blank=True)
    next_action_url = models.URLField(max_length=500, blank=True)
    gateway_reference = models.CharField(max_length=100, blank=True)
    created_by = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    settled_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[TenantQuerySet["Payment"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [
            models.Index(fields=["organization", "-created_at"], name="payment_of_organization"),
            models.Index(fields=["created_at"], condition=Q(status="pending"), name="payment_pending"),
        ]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive")]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.status}"

    @property
    def public_id(self) -> str:
        return f"pay_{self.pk.hex}"
