from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.lib.money import AmountField
from accounts.models import Organization, TenantQuerySet
from billing.models.payments import PaymentMethod


class AutoRecharge(models.Model):
    """An organization's settings of auto-recharge, and what came of the last rounds. Amounts are null until set.

    A round is one try of each card. After a failed one the next waits until `next_attempt_at`; after three in a row, or
    when its owner has to act, auto-recharge is paused, which `paused` says why. `announced` is the highest percentage
    of the monthly limit that was announced in `announced_month`.
    """

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

    failed_rounds = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(null=True, editable=False)
    paused = models.CharField(max_length=30, blank=True, default="", db_default="")
    consent = models.TextField(blank=True, default="", db_default="")
    consent_by = models.CharField(max_length=40, blank=True, default="", db_default="")
    consent_at = models.DateTimeField(null=True, editable=False)
    announced_month = models.DateField(null=True, editable=False)
    announced = models.PositiveSmallIntegerField(default=0, db_default=0)

    objects: ClassVar[TenantQuerySet["AutoRecharge"]] = TenantQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        indexes = [models.Index(fields=["organization"], condition=Q(enabled=True), name="auto_recharge_on")]
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
