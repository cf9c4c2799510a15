from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.lib.money import AmountField
from accounts.models import Organization, TenantQuerySet
from billing.models.payments import PaymentMethod


class AutoRecharge(models.Model):
    """An organization's settings of auto-recharge. Amounts are null until they are set."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="auto_recharge"
    )
    enabled = models.BooleanField(default=False)
    threshold = AmountField(null=True, blank=True)
    amount = AmountField(null=True, blank=True)
    target = AmountField(null=True, blank=True)
    payment_method = models.ForeignKey(PaymentMethod, on_delete=models.SET_NULL, null=True, blank=True)
    monthly_limit = AmountField(null=True, blank=True)
    monthly_count = models.PositiveIntegerField(null=True, blank=True)

    objects: ClassVar[TenantQuerySet["AutoRecharge"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(amount=None) | Q(target=None), name="auto_recharge_amount_or_target"),
            models.CheckConstraint(
                condition=Q(enabled=False)
                | (Q(threshold__isnull=False) & (Q(amount__isnull=False) | Q(target__isnull=False))),
                name="auto_recharge_enabled_is_complete",
            ),
        ]

    def __str__(self) -> str:
        return f"auto-recharge of {self.organization_id}: {'on' if self.enabled else 'off'}"
